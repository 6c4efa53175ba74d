import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, figure, test } from "./millrace";

const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

async function expectNoViolations(page: Page) {
  const { violations } = await new AxeBuilder({ page }).withTags(WCAG).analyze();
  const told = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`,
  );
  expect(told).toEqual([]);
}

test("the login page", async ({ page }) => {
  await page.goto("/login");
  await expect(page.getByLabel("E-mail")).toBeVisible();
  await expectNoViolations(page);
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`the dashboard, ${colorScheme}`, async ({ signedIn: page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await expect(figure(page, "revenue")).toBeVisible();
    await expectNoViolations(page);
    await page.getByRole("button", { name: "Show SQL of Revenue", exact: true }).click();
    await page.getByRole("button", { name: "Revenue by hour as a table" }).click();
    await expect(page.getByRole("complementary")).toBeVisible();
    await expectNoViolations(page);
  });

  test(`the views, ${colorScheme}`, async ({ signedIn: page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.goto("/views");
    await expect(page.getByRole("row").nth(1)).toBeVisible();
    await expectNoViolations(page);
    await page.goto("/views?name=live_sales_by_shop_day");
    await expect(page.getByRole("row").nth(1)).toBeVisible();
    await expectNoViolations(page);
  });
}

test("what opens over the page", async ({ signedIn: page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.keyboard.press("Control+k");
  await expect(page.getByRole("dialog")).toBeVisible();
  await expectNoViolations(page);
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toBeVisible();
  await expectNoViolations(page);
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await expect(page.getByRole("banner").getByRole("option", { name: "Sales", exact: true })).toBeVisible();
  await expectNoViolations(page);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: /account and theme/ }).click();
  await expectNoViolations(page);
});

test("a narrow window", async ({ signedIn: page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.setViewportSize({ width: 390, height: 800 });
  await expect(figure(page, "revenue")).toBeVisible();
  await expectNoViolations(page);
  await page.getByRole("button", { name: "Navigation" }).click();
  await expectNoViolations(page);
});
