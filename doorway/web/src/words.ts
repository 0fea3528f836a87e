/** States and numbers in words for people. */

import type { PeerState, Role, SpaceState } from "./protocol.js";

/** `1 document`, `12 documents`. */
export function count(number: number, one: string, many: string): string {
  return number === 1 ? `1 ${one}` : `${number} ${many}`;
}

/** How far a space is. */
export function spaceState(state: SpaceState): string {
  switch (state) {
    case "local":
      return "only in this browser";
    case "synced":
      return "synced";
    case "syncing":
      return "syncing now";
    case "behind":
      return "waiting to sync";
    case "offline":
      return "not everybody is reachable now";
    case "unopened":
      return "cannot be opened";
  }
}

/** How far somebody's device is. */
export function peerState(state: PeerState): string {
  return state === "unreachable" ? "not reachable now" : spaceState(state);
}

/** What one may do in a space. */
export function roleIn(role: Role | null): string {
  switch (role) {
    case null:
      return "You are not in it any more; what you have stays readable.";
    case "custodian":
      return "You keep a locked copy.";
    case "reader":
      return "You can read.";
    case "writer":
      return "You can read and write.";
    case "admin":
      return "You can read, write and invite.";
  }
}

/** Whether one may write in a space. */
export function mayWrite(role: Role | null): boolean {
  return role === "writer" || role === "admin";
}

/** What a space is called; one whose key we lack has no name. */
export function spaceName(name: string): string {
  return name === "" ? "A locked space" : name;
}

/** What somebody is called. */
export function personName(name: string): string {
  return name === "" ? "Somebody" : name;
}

/** What a document is called. */
export function documentName({ title, path }: { title: string; path: string | null }): string {
  return title !== "" ? title : (path ?? "Without a title");
}

/** What a type of documents is called. */
export function kindName(type: string): string {
  const spaced = type.replaceAll(/[-_]/g, " ");
  return spaced === "" ? "Other" : spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/** A name for this device, such as `Firefox on Linux`. */
export function deviceName(userAgent: string): string {
  const browsers = [
    ["Edg/", "Edge"],
    ["OPR/", "Opera"],
    ["Firefox/", "Firefox"],
    ["FxiOS/", "Firefox"],
    ["CriOS/", "Chrome"],
    ["Chromium/", "Chromium"],
    ["Chrome/", "Chrome"],
    ["Safari/", "Safari"],
  ] as const;
  const systems = [
    ["Android", "Android"],
    ["iPhone", "iPhone"],
    ["iPad", "iPad"],
    ["CrOS", "ChromeOS"],
    ["Windows", "Windows"],
    ["Mac OS", "Mac"],
    ["Linux", "Linux"],
  ] as const;
  const known = (names: readonly (readonly [string, string])[]) =>
    names.find(([mark]) => userAgent.includes(mark))?.[1];
  const browser = known(browsers) ?? "Browser";
  const system = known(systems);
  return system === undefined ? browser : `${browser} on ${system}`;
}
