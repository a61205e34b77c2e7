/**
 * What the keeper counts, as plain numbers; the metrics page reads them. They never go down.
 */

export interface KeeperCounters {
  /** Sessions taken over or taken up again; each one asked of the store. */
  adopts: number;
  /** Adopts that wrote the stored copy into the directory. */
  restores: number;
  /** Adopts that gave no admission. */
  adoptsFailed: number;
  /** Terms taken from an owner that did not answer. */
  forced: number;
  puts: number;
  creates: number;
  /** Writes and confirms that the store refused because another term holds the session. */
  putsRefused: number;
  confirms: number;
  tombstones: number;
  /** Answers that came from a session buried meanwhile, and left without its cookies. */
  fencedByLogout: number;
  /** Answers that left without the store's word. */
  unsynced: number;
  /** Sessions whose changes during an outage the store refused afterwards: what they held is lost. */
  unsyncedLost: number;
  /** Captures that found a file over sessions.maxBytes. */
  tooLarge: number;
  lockTimeouts: number;
  /** Files emptied or lost by a fault, for which the stored copy came back. */
  repairs: number;
  handoffsIn: number;
  handoffsOut: number;
  /** Hand-offs that did not wait for the last exchange any longer. */
  handoffsCut: number;
  /** Exchanges that ended after their session had gone: their answers were not let out. */
  writesAfterRelease: number;
  /** Files changed outside requests (jobs, late ends of scripts) and stored. */
  outsideChanges: number;
  /** Files that somebody else than a request deleted: tombstones. */
  outsideDeletions: number;
  /** Of both, those that no hint had told of and only the scan found. */
  rescanFinds: number;
  /** Times at which the directory could not be watched, or too much happened in it: the scan alone finds changes. */
  watchFailures: number;
  /** Young sessions whose files vanished together: no deletions, the stored copies come back. */
  massDeletions: number;
  /** Answers refused because no more sessions can be remembered while the store is down. */
  unsyncedFull: number;
  /** async: changes that the store refused after their answers had left: lost. */
  asyncLost: number;
  /** Notes or session files that could not be written or removed. */
  fileFaults: number;
  /** Stored sessions that did not open with our keys. */
  unsealable: number;
}

export function newKeeperCounters(): KeeperCounters {
  return {
    adopts: 0,
    restores: 0,
    adoptsFailed: 0,
    forced: 0,
    puts: 0,
    creates: 0,
    putsRefused: 0,
    confirms: 0,
    tombstones: 0,
    fencedByLogout: 0,
    unsynced: 0,
    unsyncedLost: 0,
    tooLarge: 0,
    lockTimeouts: 0,
    repairs: 0,
    handoffsIn: 0,
    handoffsOut: 0,
    handoffsCut: 0,
    writesAfterRelease: 0,
    outsideChanges: 0,
    outsideDeletions: 0,
    rescanFinds: 0,
    watchFailures: 0,
    massDeletions: 0,
    unsyncedFull: 0,
    asyncLost: 0,
    fileFaults: 0,
    unsealable: 0,
  };
}
