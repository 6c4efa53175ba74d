import styles from "./mix-bar.module.css";

export type MixPart = { id: string; label: string; share: number; value: string; shareText: string };

/** Colours told apart by more than hue: each has its own lightness, and the legend keeps their order. */
const COLOURS = ["--mix-1", "--mix-2", "--mix-3", "--mix-4", "--mix-5"];

/** Parts of a whole as one bar with its legend. */
export function MixBar({ parts }: { parts: MixPart[] }) {
  const colour = (index: number) => `var(${COLOURS[Math.min(index, COLOURS.length - 1)]})`;
  return (
    <div className={styles.mix}>
      <div className={styles.bar} aria-hidden="true">
        {parts.map(({ id, share }, index) => (
          <span key={id} style={{ flexGrow: Math.max(0, share), background: colour(index) }} />
        ))}
      </div>
      <ul>
        {parts.map(({ id, label, value, shareText }, index) => (
          <li key={id}>
            <span className={styles.swatch} style={{ background: colour(index) }} aria-hidden="true" />
            <span className={styles.label}>{label}</span>
            <span className="numeric">{value}</span>
            <span className={`numeric ${styles.share}`}>{shareText}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
