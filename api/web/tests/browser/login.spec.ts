import { expect, setting, signIn, test } from "./millrace";

test("a signed-out reader is sent to the login page and back to where they wanted to go", async ({
  page,
}) => {
  await page.goto("/views?name=live_low_stock");
  await page.waitForURL("**/login?next=*");
  await page.getByLabel("E-mail").fill(setting("MILLRACE_EMAIL"));
  await page.getByLabel("Password").fill(setting("MILLRACE_PASSWORD"));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/views?name=live_low_stock");
});

test("a wrong password is refused with words, and nothing is kept", async ({ page }) => {
  await page.goto("/login");
  await page.getByLabel("E-mail").fill(setting("MILLRACE_EMAIL"));
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.locator("#problem")).toContainText("don't belong together");
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
});

test("a login link leads to no other site", async ({ page }) => {
  await page.goto("/login?next=//example.com/sales");
  await page.getByLabel("E-mail").fill(setting("MILLRACE_EMAIL"));
  await page.getByLabel("Password").fill(setting("MILLRACE_PASSWORD"));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(new URL("/sales", setting("BASE_URL")).href);
});

test("a reload keeps the session; signing out ends it", async ({ page }) => {
  await signIn(page);
  await page.waitForURL("**/sales");
  await page.reload();
  await expect(page.getByRole("heading", { name: "Sales", level: 1 })).toBeVisible();
  await page.getByRole("button", { name: /account and theme/ }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/login*");
  await page.goto("/sales");
  await page.waitForURL("**/login*");
});

test("an access token that the server no longer takes is renewed without the reader noticing", async ({
  page,
}) => {
  await signIn(page);
  await page.waitForURL("**/sales");
  await page.evaluate(() => {
    const session = JSON.parse(sessionStorage.getItem("millrace.session") ?? "{}");
    sessionStorage.setItem(
      "millrace.session",
      JSON.stringify({ ...session, accessToken: "no longer valid" }),
    );
  });
  const renewal = page.waitForResponse((response) => response.url().endsWith("/auth/refresh"));
  await page.reload();
  expect((await renewal).status()).toBe(200);
  await expect(page.locator('[data-tile="revenue"]')).toBeVisible();
});
