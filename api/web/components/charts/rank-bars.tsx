import styles from "./rank-bars.module.css";

export type RankBar = {
  id: string;
  label: string;
  /** 0…1 of the longest. */
  length: number;
  value: string;
  share: string;
  /** Where a click on the label leads, if anywhere. */
  onOpen?: () => void;
};

/** Named bars, longest first: a list, so that it reads as well as it looks. */
export function RankBars({ bars }: { bars: RankBar[] }) {
  return (
    <ol className={styles.list}>
      {bars.map(({ id, label, length, value, share, onOpen }) => (
        <li key={id}>
          {onOpen ? (
            <button type="button" className={styles.label} onClick={onOpen} title={label}>
              {label}
            </button>
          ) : (
            <span className={styles.label} title={label}>
              {label}
            </span>
          )}
          <span className="numeric">{value}</span>
          <span className={`numeric ${styles.share}`}>{share}</span>
          <span className={styles.track} aria-hidden="true">
            <span style={{ width: `${Math.max(0, length) * 100}%` }} />
          </span>
        </li>
      ))}
    </ol>
  );
}
