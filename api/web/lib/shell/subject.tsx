"use client";
/** The number whose details the right panel shows. Tiles offer themselves; the reader chooses one. */
import { createContext, type ReactNode, use, useEffect, useMemo, useState } from "react";

export type Subject = {
  id: string;
  title: string;
  /** What the number means, in one sentence. */
  meaning: string;
  /** The view it is read from. */
  view: string;
  /** The SQL that gives the same number over the Postgres wire. */
  query?: string;
  position: number | undefined;
  asOf: string | null;
};

type SubjectContext = {
  subject: Subject | undefined;
  isPanelOpen: boolean;
  choose: (subject: Subject) => void;
  update: (subject: Subject) => void;
  setPanelOpen: (open: boolean) => void;
};

const Context = createContext<SubjectContext | undefined>(undefined);

type Props = { isPanelOpen: boolean; setPanelOpen: (open: boolean) => void; children: ReactNode };

export function SubjectProvider({ isPanelOpen, setPanelOpen, children }: Props) {
  const [subject, setSubject] = useState<Subject>();
  const value = useMemo(
    () => ({
      subject,
      isPanelOpen,
      setPanelOpen,
      choose: (chosen: Subject) => {
        setSubject(chosen);
        setPanelOpen(true);
      },
      update: setSubject,
    }),
    [subject, isPanelOpen, setPanelOpen],
  );
  return <Context value={value}>{children}</Context>;
}

export function useSubject(): SubjectContext {
  const context = use(Context);
  if (!context) throw new Error("useSubject is used outside the shell");
  return context;
}

/** Offers a subject; while it is the chosen one, the panel follows its position. */
export function useOffered(offered: Subject): { isChosen: boolean; choose: () => void } {
  const { subject, isPanelOpen, choose, update } = useSubject();
  const isChosen = subject?.id === offered.id;
  const { position, asOf, query } = offered;
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what moves on is followed
  useEffect(() => {
    if (isChosen) update(offered);
  }, [isChosen, position, asOf, query]);
  return { isChosen: isChosen && isPanelOpen, choose: () => choose(offered) };
}
