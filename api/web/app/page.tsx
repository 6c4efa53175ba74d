"use client";
import { useRouter } from "next/navigation";
import { useEffect } from "react";
import { ROOMS } from "@/lib/shell/rooms";

/** The first room is where everybody begins. */
export default function Home() {
  const router = useRouter();
  useEffect(() => router.replace(ROOMS[0]?.path ?? "/login"), [router]);
  return null;
}
