import { expect, figure, parsed, test } from "./millrace";

const TILES_MAX = 10;

test("numbers move as the shops sell, and the position with them", async ({ signedIn: page }) => {
  await expect(figure(page, "invoices")).toBeVisible();
  const invoices = async () => parsed(await figure(page, "invoices").textContent());
  const position = async () =>
    Number(await page.locator('[data-tile="invoices"]').getAttribute("data-position"));
  const invoicesBefore = await invoices();
  const positionBefore = await position();
  expect(invoicesBefore).toBeGreaterThan(0);
  await expect.poll(invoices, { timeout: 30_000 }).toBeGreaterThan(invoicesBefore);
  expect(await position()).toBeGreaterThan(positionBefore);
});

test("the figures of a finished day are exactly those of the view", async ({ signedIn: page, api }) => {
  const day = (await api.days())[1];
  if (!day) throw new Error("the demo has no finished day");
  const { rows, total } = await api.view("live_sales_by_shop_hour", { business_date: day, limit: 1000 });
  expect(rows.length, "the day fits one page").toBe(total);
  const cents = rows.reduce((sum, row) => sum + Math.round(Number(row.revenue) * 100), 0);
  const invoices = rows.reduce((sum, row) => sum + Number(row.invoices), 0);
  await page.goto(`/sales?day=${day}`);
  await expect
    .poll(async () => Math.round(parsed(await figure(page, "revenue").textContent()) * 100))
    .toBe(cents);
  expect(parsed(await figure(page, "invoices").textContent())).toBe(invoices);
});

test("freshness stands in the status bar", async ({ signedIn: page }) => {
  const footer = page.getByRole("contentinfo");
  await expect(footer.getByTestId("freshness")).toHaveText(/^[\d.,]+ (ms|s)$/);
  await expect(footer.getByRole("status")).toHaveText("Live");
  const position = async () => parsed(await footer.getByTestId("position").textContent());
  const before = await position();
  await expect.poll(position, { timeout: 30_000 }).toBeGreaterThan(before);
});

test("at most ten tiles, each with its as-of, pause and SQL", async ({ signedIn: page }) => {
  const tiles = page.locator("[data-tile]");
  await expect(figure(page, "revenue")).toBeVisible();
  const number = await tiles.count();
  expect(number).toBeLessThanOrEqual(TILES_MAX);
  for (let index = 0; index < number; index += 1) {
    await expect(tiles.nth(index).locator("time")).toBeVisible();
    await expect(tiles.nth(index).getByRole("button", { name: /^Pause/ })).toBeVisible();
    await expect(tiles.nth(index).getByRole("button", { name: /^Show SQL/ })).toBeVisible();
  }
});

test("a paused tile stands still while the others move", async ({ signedIn: page }) => {
  await expect(figure(page, "revenue")).toBeVisible();
  await page.getByRole("button", { name: "Pause Revenue", exact: true }).click();
  const held = await figure(page, "revenue").textContent();
  const moving = await figure(page, "margin").textContent();
  await expect.poll(() => figure(page, "margin").textContent(), { timeout: 30_000 }).not.toBe(moving);
  expect(await figure(page, "revenue").textContent()).toBe(held);
  await page.getByRole("button", { name: "Resume Revenue", exact: true }).click();
  await expect.poll(() => figure(page, "revenue").textContent()).not.toBe(held);
});

test("a number is painted at most once a second", async ({ signedIn: page }) => {
  const seconds = 8;
  await expect(figure(page, "revenue")).toBeVisible();
  const paints = await figure(page, "revenue").evaluate(
    (element, ms) =>
      new Promise<number>((resolve) => {
        let count = 0;
        const observer = new MutationObserver(() => {
          count += 1;
        });
        observer.observe(element, { characterData: true, childList: true, subtree: true });
        setTimeout(() => resolve(count), ms);
      }),
    seconds * 1000,
  );
  expect(paints).toBeGreaterThan(0);
  expect(paints).toBeLessThanOrEqual(seconds + 1);
});

test("every chart has its table twin", async ({ signedIn: page }) => {
  for (const title of ["Revenue by hour", "By shop", "Top products", "By category", "Payment mix"]) {
    const tile = page.locator("[data-tile]").filter({ has: page.getByRole("heading", { name: title }) });
    await expect(tile.getByRole("table")).toHaveCount(0);
    await tile.getByRole("button", { name: `${title} as a table` }).click();
    await expect(tile.getByRole("table")).toBeVisible();
    await expect(tile.getByRole("row").nth(1)).toBeVisible();
    await tile.getByRole("button", { name: `${title} as a chart` }).click();
    await expect(tile.getByRole("table")).toHaveCount(0);
  }
});

test("show SQL opens the number's details, which follow it", async ({ signedIn: page }) => {
  await page.getByRole("button", { name: "Show SQL of Revenue", exact: true }).click();
  const panel = page.getByRole("complementary", { name: "About this number" });
  await expect(panel).toContainText("live_sales_by_shop_hour");
  await expect(panel).toContainText("select sum(revenue)");
  await expect(panel.getByRole("region", { name: "How the view is made" })).toContainText(/select/i);
  const position = panel.locator("dt", { hasText: "Position" }).locator("+ dd");
  const before = parsed(await position.textContent());
  await expect
    .poll(async () => parsed(await position.textContent()), { timeout: 30_000 })
    .toBeGreaterThan(before);
});

test("shop and day are in the address, and a link shows the same", async ({ signedIn: page, api }) => {
  await expect(figure(page, "revenue")).toBeVisible();
  const shops = page.getByRole("combobox", { name: "Shop" });
  await shops.selectOption({ index: 1 });
  await expect(page).toHaveURL(/[?&]shop=/);
  const shop = new URL(page.url()).searchParams.get("shop") as string;
  const day = (await api.days())[1] as string;
  await page.goto(`/sales?shop=${shop}&day=${day}`);
  await expect(shops).toHaveValue(shop);
  const { rows } = await api.view("live_sales_by_shop_hour", {
    business_date: day,
    shop_id: shop,
    limit: 100,
  });
  const invoices = rows.reduce((sum, row) => sum + Number(row.invoices), 0);
  await expect.poll(async () => parsed(await figure(page, "invoices").textContent())).toBe(invoices);
});

test("a day without sales says so and offers the way back", async ({ signedIn: page }) => {
  await page.goto("/sales?day=1999-01-01");
  const tile = page.locator('[data-tile="revenue"]');
  await expect(tile.locator('[data-empty="no-data"]')).toBeVisible();
  await tile.getByRole("button", { name: "Go to the newest day" }).click();
  await expect(figure(page, "revenue")).toBeVisible();
});

test("a lost connection is told, and made up for", async ({ signedIn: page, context }) => {
  await expect(figure(page, "invoices")).toBeVisible();
  const before = parsed(await figure(page, "invoices").textContent());
  await context.setOffline(true);
  await expect(page.getByRole("contentinfo").getByRole("status")).toContainText("Offline");
  await context.setOffline(false);
  await expect(page.getByRole("contentinfo").getByRole("status")).toHaveText("Live");
  await expect
    .poll(async () => parsed(await figure(page, "invoices").textContent()), { timeout: 40_000 })
    .toBeGreaterThan(before);
});

test("a window out of sight gives its streams back and resumes them where it left off", async ({
  signedIn: page,
}) => {
  await expect(figure(page, "invoices")).toBeVisible();
  const before = parsed(await figure(page, "invoices").textContent());
  const show = (state: DocumentVisibilityState) =>
    page.evaluate((visibilityState) => {
      Object.defineProperty(document, "visibilityState", { value: visibilityState, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, state);
  const isHours = (url: string) => url.includes("live_sales_by_shop_hour/stream");
  const ended = page.waitForEvent("requestfailed", (request) => isHours(request.url()));
  await show("hidden");
  await ended;
  const resumed = page.waitForRequest((request) => isHours(request.url()));
  await show("visible");
  expect(Number((await resumed).headers()["last-event-id"])).toBeGreaterThan(0);
  await expect
    .poll(async () => parsed(await figure(page, "invoices").textContent()), { timeout: 30_000 })
    .toBeGreaterThan(before);
});

test("three windows at once: none waits for a connection, all move", async ({ signedIn: page, context }) => {
  await expect(figure(page, "invoices")).toBeVisible();
  for (const window of [await context.newPage(), await context.newPage()]) {
    await window.goto("/sales");
    const invoices = async () => parsed(await figure(window, "invoices").textContent());
    await expect.poll(invoices).toBeGreaterThan(0);
    const before = await invoices();
    await expect.poll(invoices, { timeout: 30_000 }).toBeGreaterThan(before);
    await expect(window.locator('[data-tile="products"] li').first()).toBeVisible();
  }
});
