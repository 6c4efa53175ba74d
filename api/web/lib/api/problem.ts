/** An RFC 9457 problem as the gateway answers it; also what a failed connection is turned into. */
import type { components } from "./schema";

type FieldError = components["schemas"]["FieldError"];
/** Proxies between here and the gateway answer less than the gateway would. */
export type ProblemDocument = Partial<components["schemas"]["Problem"]>;

export class Problem extends Error {
  /** The HTTP status; 0 when no answer came at all. */
  readonly status: number;
  readonly code: string;
  readonly traceId?: string;
  readonly errors: FieldError[];

  constructor(document: ProblemDocument, status: number) {
    super(document.detail ?? document.title ?? `The server answered ${status}.`);
    this.name = "Problem";
    this.status = status;
    this.code = document.code ?? "unknown";
    this.traceId = document.trace_id;
    this.errors = document.errors ?? [];
  }

  /** Asking again the same way can't help. */
  get isRefusal(): boolean {
    return this.status === 401 || this.status === 403 || this.status === 404 || this.status === 400;
  }
}

export async function problemOf(response: Response): Promise<Problem> {
  const document: ProblemDocument = await response.json().catch(() => ({ title: response.statusText }));
  return new Problem(document, response.status);
}

export function unreachable(cause: unknown): Problem {
  const problem = new Problem(
    {
      code: "unreachable",
      detail: "Millrace does not answer. Check that it runs and that you are connected.",
    },
    0,
  );
  problem.cause = cause;
  return problem;
}
