import Link from "next/link";
import { usePathname } from "next/navigation";
import type { ReactNode } from "react";
import { ROOMS } from "@/lib/shell/rooms";
import styles from "./side-nav.module.css";

type Props = { isOpen: boolean; isNarrow: boolean; children: ReactNode };

/** The rooms. Closed, it is a strip of icons; on a narrow window it is a drawer. */
export function SideNav({ isOpen, isNarrow, children }: Props) {
  const pathname = usePathname();
  if (isNarrow && !isOpen) return null;
  return (
    <nav className={styles.nav} aria-label="Rooms" data-open={isOpen} data-drawer={isNarrow}>
      <ul>
        {ROOMS.map(({ path, title, icon: Icon, keys }) => (
          <li key={path}>
            <Link
              href={path}
              className={styles.room}
              aria-current={pathname.startsWith(path) ? "page" : undefined}
              aria-label={isOpen ? undefined : title}
              title={isOpen ? undefined : title}
            >
              <Icon size={16} aria-hidden="true" />
              {isOpen && <span className={styles.title}>{title}</span>}
              {isOpen && (
                <span className={styles.key} aria-hidden="true">
                  {keys}
                </span>
              )}
            </Link>
          </li>
        ))}
      </ul>
      {children}
    </nav>
  );
}
