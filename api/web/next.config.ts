import type { NextConfig } from "next";

const gateway = process.env.MILLRACE_URL ?? "http://127.0.0.1:4000";

/**
 * The app is exported as plain files and embedded in the gateway's binary. `next dev` has no gateway of its own, so
 * there, and only there, the API's paths are handed on to a running one.
 */
const config: NextConfig =
  process.env.NODE_ENV === "development"
    ? {
        rewrites: async () =>
          ["/auth/:path*", "/api/:path*", "/openapi.json"].map((source) => ({
            source,
            destination: `${gateway}${source}`,
          })),
      }
    : { output: "export", reactStrictMode: true };

export default config;
