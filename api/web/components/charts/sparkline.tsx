import styles from "./sparkline.module.css";

const WIDTH = 100;
const HEIGHT = 30;

/** The course of a figure beside that of the day compared with. Decoration: the hourly chart has the numbers. */
export function Sparkline({ now, before }: { now: number[]; before: number[] }) {
  const length = Math.max(now.length, before.length);
  const most = Math.max(...now, ...before, 0);
  if (length < 2 || most <= 0) return <div className={styles.spark} />;
  const line = (values: number[]) =>
    values
      .map((value, index) => {
        const x = (index / (length - 1)) * WIDTH;
        const y = HEIGHT - 2 - (Math.max(0, value) / most) * (HEIGHT - 4);
        return `${x.toFixed(2)},${y.toFixed(2)}`;
      })
      .join(" ");
  const lastX = ((now.length - 1) / (length - 1)) * WIDTH;
  return (
    <svg
      className={styles.spark}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {before.length > 1 && <polyline className={styles.before} points={line(before)} />}
      {now.length > 1 && (
        <polygon className={styles.area} points={`0,${HEIGHT} ${line(now)} ${lastX},${HEIGHT}`} />
      )}
      {now.length > 1 && <polyline className={styles.now} points={line(now)} />}
    </svg>
  );
}
