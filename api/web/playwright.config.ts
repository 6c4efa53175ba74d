import { defineConfig } from "@playwright/test";

/**
 * `unit` needs nothing but Node. `browser` runs against a Millrace that is up and selling: BASE_URL,
 * MILLRACE_EMAIL and MILLRACE_PASSWORD say which and as whom, CHROMIUM where the browser is.
 */
export default defineConfig({
  testDir: "tests",
  outputDir: "test-results",
  forbidOnly: true,
  workers: 1,
  // The page shares the machine with all of Millrace; a second run is told as flaky, not hidden.
  retries: 1,
  timeout: 120_000,
  expect: { timeout: 30_000 },
  reporter: "list",
  use: {
    baseURL: process.env.BASE_URL,
    locale: "en-US",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "unit", testMatch: "unit/*.spec.ts" },
    { name: "browser", testMatch: "browser/*.spec.ts" },
  ],
});
