/** Millrace's sign: two waves. */
export function Mark({ size = 22 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="var(--accent)" />
      <path
        d="M6 12c3.3-3.2 6.7-3.2 10 0s6.7 3.2 10 0M6 20c3.3-3.2 6.7-3.2 10 0s6.7 3.2 10 0"
        fill="none"
        stroke="var(--on-accent)"
        strokeWidth="2.8"
        strokeLinecap="round"
      />
    </svg>
  );
}
