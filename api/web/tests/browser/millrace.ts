/** A signed-in page, and the API beside it to compare what is shown with what is so. */
import { type APIRequestContext, test as base, type Page } from "@playwright/test";

type Grant = { access_token: string };
type Row = Record<string, string | number>;
type ViewPage = { position: number; total: number; rows: Row[] };

export function setting(name: "BASE_URL" | "MILLRACE_EMAIL" | "MILLRACE_PASSWORD"): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: the browser tests need a running Millrace`);
  return value;
}

export class Api {
  constructor(
    private readonly request: APIRequestContext,
    private readonly token: string,
  ) {}

  async view(name: string, query: Record<string, string | number> = {}): Promise<ViewPage> {
    const response = await this.request.get(`/api/v1/views/${name}`, {
      params: query,
      headers: { authorization: `Bearer ${this.token}` },
    });
    if (!response.ok()) throw new Error(`${name} answered ${response.status()}: ${await response.text()}`);
    return response.json();
  }

  /** Business dates with sales, the newest first. */
  async days(): Promise<string[]> {
    const { rows } = await this.view("live_sales_by_shop_day", { sort: "business_date:desc", limit: 500 });
    return [...new Set(rows.map((row) => String(row.business_date)))];
  }
}

export const test = base.extend<{ api: Api; signedIn: Page }>({
  api: async ({ request }, use) => {
    setting("BASE_URL");
    const data = { email: setting("MILLRACE_EMAIL"), password: setting("MILLRACE_PASSWORD") };
    const response = await request.post("/auth/login", { data });
    const { access_token } = (await response.json()) as Grant;
    await use(new Api(request, access_token));
  },
  signedIn: async ({ page }, use) => {
    await signIn(page);
    await page.getByRole("heading", { name: "Sales", level: 1 }).waitFor();
    await use(page);
  },
});

export async function signIn(page: Page): Promise<void> {
  setting("BASE_URL");
  await page.goto("/login");
  await page.getByLabel("E-mail").fill(setting("MILLRACE_EMAIL"));
  await page.getByLabel("Password").fill(setting("MILLRACE_PASSWORD"));
  await page.getByRole("button", { name: "Sign in" }).click();
}

export function figure(page: Page, tile: string) {
  return page.locator(`[data-tile="${tile}"] [data-figure]`);
}

/** "$1,234.50" → 1234.5 */
export function parsed(text: string | null): number {
  return Number((text ?? "").replace(/[^\d.-]/g, ""));
}

export { expect } from "@playwright/test";
