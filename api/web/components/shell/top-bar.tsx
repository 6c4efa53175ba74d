import { PanelLeft, PanelRight } from "lucide-react";
import Link from "next/link";
import { Mark } from "../mark";
import { Search } from "../palette/search";
import { ShopSelect } from "./shop-select";
import styles from "./top-bar.module.css";
import { UserMenu } from "./user-menu";

type Props = {
  isNavOpen: boolean;
  isPanelOpen: boolean;
  setNavOpen: (open: boolean) => void;
  setPanelOpen: (open: boolean) => void;
};

export function TopBar({ isNavOpen, isPanelOpen, setNavOpen, setPanelOpen }: Props) {
  return (
    <header className={styles.bar}>
      <a href="#content" className={styles.skip}>
        Skip to the content
      </a>
      <button
        type="button"
        className={styles.icon}
        aria-label="Navigation"
        aria-expanded={isNavOpen}
        onClick={() => setNavOpen(!isNavOpen)}
      >
        <PanelLeft size={16} aria-hidden="true" />
      </button>
      <Link href="/sales" className={styles.brand} aria-label="Millrace">
        <Mark />
        <span>Millrace</span>
      </Link>
      <Search />
      <div className={styles.right}>
        <ShopSelect />
        <UserMenu />
        <button
          type="button"
          className={styles.icon}
          aria-label="Details"
          aria-expanded={isPanelOpen}
          onClick={() => setPanelOpen(!isPanelOpen)}
        >
          <PanelRight size={16} aria-hidden="true" />
        </button>
      </div>
    </header>
  );
}
