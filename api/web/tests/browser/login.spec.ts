import type { Page } from "@playwright/test";
import { expect, figure, setting, signIn, test } from "./millrace";

/** Puts an access token into the browser's storage that the server does not take. */
async function spoilAccessToken(page: Page) {
  await page.evaluate(() => {
    const session = JSON.parse(localStorage.getItem("millrace.session") ?? "{}");
    localStorage.setItem("millrace.session", JSON.stringify({ ...session, accessToken: "no longer valid" }));
  });
}

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
  expect(await page.evaluate(() => localStorage.getItem("millrace.session"))).toBeNull();
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
  await spoilAccessToken(page);
  const renewal = page.waitForResponse((response) => response.url().endsWith("/auth/refresh"));
  await page.reload();
  expect((await renewal).status()).toBe(200);
  await expect(page.locator('[data-tile="revenue"]')).toBeVisible();
});

test("two windows renew their session at once, time and again, and both stay signed in", async ({
  signedIn: page,
  context,
}) => {
  const other = await context.newPage();
  await other.goto("/sales");
  await expect(figure(other, "revenue")).toBeVisible();
  const renewals: number[] = [];
  context.on("response", (response) => {
    if (response.url().endsWith("/auth/refresh")) renewals.push(response.status());
  });
  for (const round of [1, 2, 3]) {
    await spoilAccessToken(page);
    await Promise.all([page.reload(), other.reload()]);
    await expect(figure(page, "revenue")).toBeVisible();
    await expect(figure(other, "revenue")).toBeVisible();
    expect(renewals).toEqual(Array.from({ length: round }, () => 200));
  }
});

test("signing out in one window signs out the other", async ({ signedIn: page, context }) => {
  const other = await context.newPage();
  await other.goto("/sales");
  await expect(figure(other, "revenue")).toBeVisible();
  await page.getByRole("button", { name: /account and theme/ }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await other.waitForURL("**/login?next=%2Fsales");
});
