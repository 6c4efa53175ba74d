import { expect, parsed, test } from "./millrace";

test("the catalogue lists the views with grain, key and position", async ({ signedIn: page }) => {
  await page.goto("/views");
  const row = page.getByRole("row").filter({ hasText: "live_sales_by_shop_hour" });
  await expect(row).toContainText("business_date");
  expect(parsed(await row.getByRole("cell").last().textContent())).toBeGreaterThan(0);
  await row.getByRole("link").click();
  await page.waitForURL("**/views?name=live_sales_by_shop_hour");
  await expect(page.getByRole("table")).toBeVisible();
});

test("a view's table moves, sorts and filters", async ({ signedIn: page }) => {
  await page.goto("/views?name=live_sales_by_shop_day");
  const facts = page.getByTestId("view-facts");
  const position = async () => parsed(/Position ([\d,]+)/.exec((await facts.textContent()) ?? "")?.[1] ?? "");
  await expect.poll(position).toBeGreaterThan(0);
  const before = await position();
  await expect.poll(position, { timeout: 30_000 }).toBeGreaterThan(before);

  await page.getByRole("button", { name: "revenue", exact: true }).click();
  await expect(page).toHaveURL(/sort=revenue/);
  const header = page.getByRole("columnheader", { name: "revenue" });
  await expect(header).toHaveAttribute("aria-sort", "descending");
  const column = await header.evaluate((cell) => (cell as HTMLTableCellElement).cellIndex);
  await expect
    .poll(async () => {
      const cells = await page.locator(`tbody td:nth-child(${column + 1})`).allTextContents();
      const values = cells.map(parsed);
      return (
        values.length > 1 && values.every((value, index) => index === 0 || value <= (values[index - 1] ?? 0))
      );
    })
    .toBe(true);

  await page.getByLabel("Column to filter by").selectOption("business_date");
  await page.getByLabel("Value to filter by").fill("1999-01-01");
  await page.keyboard.press("Enter");
  await expect(page.locator('[data-empty="no-match"]')).toBeVisible();
  await page.getByRole("button", { name: "Remove the filter" }).click();
  await expect(page.getByRole("table")).toBeVisible();
});

test("a view nobody made is not found, with a way back", async ({ signedIn: page }) => {
  await page.goto("/views?name=live_nothing");
  await expect(page.locator('[data-empty="no-match"]')).toBeVisible();
  await page.getByRole("link", { name: "All views" }).click();
  await expect(page.getByRole("heading", { name: "Views", level: 1 })).toBeVisible();
});
