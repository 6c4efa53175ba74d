"use client";
import { usePathname, useRouter, useSearchParams } from "next/navigation";
import { type CSSProperties, type ReactNode, useCallback, useEffect, useState } from "react";
import { useSession } from "@/lib/api/session";
import { CatalogueProvider } from "@/lib/shell/catalogue";
import { useStored } from "@/lib/shell/stored";
import { SubjectProvider } from "@/lib/shell/subject";
import { useMediaQuery } from "@/lib/shell/use-media-query";
import { Commands } from "../palette/commands";
import { DetailPanel } from "./detail-panel";
import { Resizer } from "./resizer";
import styles from "./shell.module.css";
import { SideNav } from "./side-nav";
import { StatusBar } from "./status-bar";
import { TopBar } from "./top-bar";

const NAV = { least: 148, most: 320, initial: 188 };
const PANEL = { least: 260, most: 620, initial: 372 };
const NARROW = "(max-width: 860px)";

/** The four sides around every room. Signed-out readers are sent to the login page. */
export function Shell({ children }: { children: ReactNode }) {
  const session = useSession();
  const router = useRouter();
  const pathname = usePathname();
  const query = useSearchParams().toString();

  useEffect(() => {
    if (session !== null) return;
    router.replace(`/login?next=${encodeURIComponent(query ? `${pathname}?${query}` : pathname)}`);
  }, [session, router, pathname, query]);

  if (!session) return null;
  return (
    <CatalogueProvider>
      <Frame>{children}</Frame>
    </CatalogueProvider>
  );
}

function Frame({ children }: { children: ReactNode }) {
  const isNarrow = useMediaQuery(NARROW);
  const [navWidth, setNavWidth] = useStored("millrace.nav.width", NAV.initial);
  const [panelWidth, setPanelWidth] = useStored("millrace.panel.width", PANEL.initial);
  const [isNavWide, setNavWide] = useStored("millrace.nav.open", true);
  const [isPanelWide, setPanelWide] = useStored("millrace.panel.open", false);
  const [drawer, setDrawer] = useState<"nav" | "panel">();

  const isNavOpen = isNarrow ? drawer === "nav" : isNavWide;
  const isPanelOpen = isNarrow ? drawer === "panel" : isPanelWide;
  const setNavOpen = useCallback(
    (open: boolean) => (isNarrow ? setDrawer(open ? "nav" : undefined) : setNavWide(open)),
    [isNarrow, setNavWide],
  );
  const setPanelOpen = useCallback(
    (open: boolean) => (isNarrow ? setDrawer(open ? "panel" : undefined) : setPanelWide(open)),
    [isNarrow, setPanelWide],
  );

  const pathname = usePathname();
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new room closes the drawer it was chosen in
  useEffect(() => setDrawer(undefined), [pathname]);

  const sizes = { "--nav-width": `${navWidth}px`, "--panel-width": `${panelWidth}px` } as CSSProperties;
  return (
    <SubjectProvider isPanelOpen={isPanelOpen} setPanelOpen={setPanelOpen}>
      <Commands
        toggleNav={() => setNavOpen(!isNavOpen)}
        togglePanel={() => setPanelOpen(!isPanelOpen)}
        closeDrawer={() => setDrawer(undefined)}
      >
        <div className={styles.shell} style={sizes} data-nav={isNavOpen} data-panel={isPanelOpen}>
          <TopBar
            isNavOpen={isNavOpen}
            isPanelOpen={isPanelOpen}
            setNavOpen={setNavOpen}
            setPanelOpen={setPanelOpen}
          />
          <SideNav isOpen={isNavOpen} isNarrow={isNarrow}>
            {!isNarrow && isNavOpen && (
              <Resizer
                label="Width of the navigation"
                side="left"
                size={navWidth}
                range={NAV}
                onResize={setNavWidth}
              />
            )}
          </SideNav>
          <main id="content" className={styles.content} tabIndex={-1}>
            {children}
          </main>
          {isPanelOpen && (
            <DetailPanel onClose={() => setPanelOpen(false)}>
              {!isNarrow && (
                <Resizer
                  label="Width of the details"
                  side="right"
                  size={panelWidth}
                  range={PANEL}
                  onResize={setPanelWidth}
                />
              )}
            </DetailPanel>
          )}
          <StatusBar />
          {isNarrow && drawer && (
            <button
              type="button"
              className={styles.scrim}
              aria-label="Close"
              onClick={() => setDrawer(undefined)}
            />
          )}
        </div>
      </Commands>
    </SubjectProvider>
  );
}
