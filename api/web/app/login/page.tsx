"use client";
import { useRouter, useSearchParams } from "next/navigation";
import { type FormEvent, Suspense, useEffect, useState } from "react";
import { Mark } from "@/components/mark";
import { Problem } from "@/lib/api/problem";
import { signIn } from "@/lib/api/request";
import { useSession } from "@/lib/api/session";
import { useTheme } from "@/lib/shell/theme";
import styles from "./login.module.css";

export default function LoginPage() {
  return (
    <main className={styles.page}>
      <Suspense>
        <LoginForm />
      </Suspense>
    </main>
  );
}

/** Only a path of this app: never another site, however the address was made. */
function destination(next: string | null): string {
  return next?.startsWith("/") && !next.startsWith("//") && !next.includes("\\") ? next : "/sales";
}

function LoginForm() {
  const router = useRouter();
  const next = destination(useSearchParams().get("next"));
  const session = useSession();
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  useTheme();

  useEffect(() => {
    if (session) router.replace(next);
  }, [session, next, router]);

  const onSubmit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    setBusy(true);
    setProblem(undefined);
    try {
      await signIn(String(fields.get("email")), String(fields.get("password")));
    } catch (cause) {
      const isWrong = cause instanceof Problem && cause.status === 401;
      setProblem(
        isWrong
          ? "This e-mail and password don't belong together. Check both and try again."
          : String((cause as Error).message),
      );
      setBusy(false);
    }
  };

  return (
    <form className={styles.card} onSubmit={onSubmit} method="post">
      <div className={styles.brand}>
        <Mark size={32} />
        <h1>Sign in to Millrace</h1>
      </div>
      <label className={styles.field}>
        E-mail
        <input name="email" type="email" autoComplete="username" required aria-describedby="problem" />
      </label>
      <label className={styles.field}>
        Password
        <input
          name="password"
          type="password"
          autoComplete="current-password"
          required
          aria-describedby="problem"
        />
      </label>
      <p id="problem" role="alert" className={styles.problem}>
        {problem}
      </p>
      <button type="submit" className={styles.submit} disabled={isBusy}>
        {isBusy ? "Signing in…" : "Sign in"}
      </button>
    </form>
  );
}
