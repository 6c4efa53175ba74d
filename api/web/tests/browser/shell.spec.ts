import { expect, test } from "./millrace";

test("four sides around the content", async ({ signedIn: page }) => {
  await expect(page.getByRole("banner")).toBeVisible();
  await expect(page.getByRole("navigation", { name: "Rooms" })).toBeVisible();
  await expect(page.getByRole("main")).toBeVisible();
  await expect(page.getByRole("contentinfo")).toBeVisible();
  await page.getByRole("button", { name: "Details", exact: true }).click();
  await expect(page.getByRole("complementary", { name: "About this number" })).toBeVisible();
});

test("panels are resized with the keyboard, closed, and remembered", async ({ signedIn: page }) => {
  const nav = page.getByRole("navigation", { name: "Rooms" });
  const before = (await nav.boundingBox())?.width ?? 0;
  const border = page.getByRole("separator", { name: "Width of the navigation" });
  await border.focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await expect.poll(async () => (await nav.boundingBox())?.width).toBe(before + 32);
  await page.reload();
  await expect.poll(async () => (await nav.boundingBox())?.width).toBe(before + 32);
  await page.getByRole("button", { name: "Navigation" }).click();
  await expect.poll(async () => (await nav.boundingBox())?.width).toBeLessThan(60);
  await page.reload();
  await expect.poll(async () => (await nav.boundingBox())?.width).toBeLessThan(60);
});

test("a panel's border is dragged", async ({ signedIn: page }) => {
  await page.getByRole("button", { name: "Details", exact: true }).click();
  const panel = page.getByRole("complementary", { name: "About this number" });
  const box = await panel.boundingBox();
  if (!box) throw new Error("the panel has no place on the page");
  await page.mouse.move(box.x, box.y + 200);
  await page.mouse.down();
  await page.mouse.move(box.x - 80, box.y + 200, { steps: 4 });
  await page.mouse.up();
  await expect
    .poll(async () => Math.round((await panel.boundingBox())?.width ?? 0))
    .toBe(Math.round(box.width) + 80);
});

test("the palette opens with Ctrl+K, finds a view, goes there, and closes with Esc", async ({
  signedIn: page,
}) => {
  await page.keyboard.press("Control+k");
  const palette = page.getByRole("dialog", { name: "Command palette" });
  await expect(palette).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(palette).toBeHidden();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("low_stock");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/views?name=live_low_stock");
  await expect(palette).toBeHidden();
});

test("/ focuses the search, Esc leaves it, ? shows the shortcuts", async ({ signedIn: page }) => {
  const search = page.getByRole("banner").getByRole("combobox", { name: /search/i });
  await page.keyboard.press("/");
  await expect(search).toBeFocused();
  await expect(search).toHaveValue("");
  await page.keyboard.type("?");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await page.keyboard.press("Escape");
  await expect(search).not.toBeFocused();
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("keys without Ctrl can be switched off", async ({ signedIn: page }) => {
  await page.keyboard.press("?");
  await page.getByRole("checkbox", { name: /single key/ }).uncheck();
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await expect(page.getByRole("banner").getByRole("combobox", { name: /search/i })).not.toBeFocused();
  await page.keyboard.press("Control+k");
  await expect(page.getByRole("dialog", { name: "Command palette" })).toBeVisible();
});

test("g then v goes to the views", async ({ signedIn: page }) => {
  await page.keyboard.press("g");
  await page.keyboard.press("v");
  await page.waitForURL("**/views");
});

test("the dark theme is chosen and kept", async ({ signedIn: page }) => {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.getByRole("button", { name: /account and theme/ }).click();
  await page.getByRole("radio", { name: "dark" }).check();
  await expect.poll(background).not.toBe(light);
  const dark = await background();
  await page.reload();
  await expect.poll(background).toBe(dark);
});

test("without a choice the theme is the system's", async ({ signedIn: page }) => {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.emulateMedia({ colorScheme: "dark" });
  await expect.poll(background).not.toBe(light);
});

test("a narrow window has the rooms in a drawer and nothing sticks out", async ({ signedIn: page }) => {
  await page.setViewportSize({ width: 390, height: 800 });
  await expect(page.getByRole("navigation", { name: "Rooms" })).toBeHidden();
  await page.getByRole("button", { name: "Navigation" }).click();
  await page.getByRole("link", { name: "Views" }).click();
  await page.waitForURL("**/views");
  await expect(page.getByRole("navigation", { name: "Rooms" })).toBeHidden();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});
