import { statfsSync } from 'node:fs';
import { systemReason } from '../lib/system-reason.ts';
import * as serverLimits from '../limits/server.ts';
import type { Health, HealthCheck } from '../observe/health.ts';
import type { LogStore, StoreHealth } from '../store/log-store.ts';
import { type Certificates, validityOf } from '../transport/certificates.ts';
import type { ListenError, Listener } from '../transport/listener.ts';
import type { OpenEntries } from './session-store.ts';

export interface CheckedParts {
  /** Where logs are kept, and what is kept for clients beside them. */
  kept: { store: Pick<LogStore, 'health'>; directory: string | undefined } | undefined;
  /** Where that is kept if there are no logs. */
  entries?: Pick<OpenEntries, 'health' | 'folder'> | undefined;
  certificates?: Certificates | undefined;
}

/** Has the store, its disk and the certificate say how they are. */
export function addHealthChecks(health: Health, { kept, entries, certificates }: CheckedParts): void {
  if (kept !== undefined) {
    const { store, directory } = kept;
    health.add('store', () => storeCheck(store.health()));
    if (directory !== undefined) health.add('disk', () => diskCheck(directory.split(',')));
  } else if (entries !== undefined) {
    health.add('store', () => storeCheck(entries.health() ?? UNUSED));
    // As long as nothing is kept there may be no folder.
    health.add('disk', () =>
      entries.health() === undefined ? { status: 'pass' } : diskCheck([entries.folder]),
    );
  }
  if (certificates !== undefined) {
    health.add('certificate', () => certificateCheck(certificates.material.cert, Date.now()));
  }
}

/** A store that nobody has needed yet. */
const UNUSED: StoreHealth = {
  ...{ status: 'ready', problem: '' },
  ...{ waitingChanges: 0, waitingBytes: 0, corruptBatches: 0 },
};

/**
 * Has the listeners say how they are.
 *
 * @param unopened those that could not open when the broker started, where it goes on without them.
 */
export function addListenerCheck(
  health: Health,
  listeners: readonly Pick<Listener, 'url' | 'isOpen'>[],
  unopened: readonly ListenError[],
): void {
  health.add('listeners', () => {
    const closed = listeners.filter((listener) => !listener.isOpen()).map(({ url }) => url);
    const measured = { open: listeners.length - closed.length };
    if (closed.length > 0)
      return { status: 'fail', problem: `${closed.join(', ')}: the listener is closed`, ...measured };
    if (unopened.length === 0) return { status: 'pass', ...measured };
    return { status: 'warn', problem: unopened.map(({ message }) => message).join('; '), ...measured };
  });
}

function storeCheck(health: StoreHealth): HealthCheck {
  const { status, problem, waitingChanges, waitingBytes, corruptBatches } = health;
  const measured = { waitingChanges, waitingBytes, corruptBatches };
  if (status !== 'ready')
    return { status: 'fail', problem: problem || `the store is ${status}`, ...measured };
  if (corruptBatches === 0) return { status: 'pass', ...measured };
  return { status: 'warn', problem: 'a part of the log is damaged: see tinymq verify', ...measured };
}

export type DiskCheck = HealthCheck & { folder: string; freeBytes: number };

/** The fullest of the disks that hold the folders. */
export function diskCheck(folders: readonly string[]): DiskCheck {
  const checks = folders.map(diskCheckOf);
  return checks.reduce((worst, each) => (each.freeBytes < worst.freeBytes ? each : worst));
}

function diskCheckOf(folder: string): DiskCheck {
  let disk: ReturnType<typeof statfsSync>;
  try {
    disk = statfsSync(folder);
  } catch (error) {
    const problem = `the folder cannot be looked at: ${systemReason(error as NodeJS.ErrnoException)}`;
    return { status: 'fail', problem, folder, freeBytes: 0 };
  }
  const { bavail, blocks, bsize } = disk;
  const freeBytes = bavail * bsize;
  const measured = { folder, freeBytes, totalBytes: blocks * bsize };
  if (freeBytes < serverLimits.fullDiskBytes) {
    return { status: 'fail', problem: 'the disk is full', ...measured };
  }
  const isNearlyFull = freeBytes < serverLimits.nearlyFullDiskShare * measured.totalBytes;
  if (isNearlyFull && freeBytes < serverLimits.nearlyFullDiskBytes) {
    return { status: 'warn', problem: 'the disk is nearly full', ...measured };
  }
  return { status: 'pass', ...measured };
}

/** @param cert in PEM format. */
export function certificateCheck(cert: Buffer, nowMs: number): HealthCheck {
  const { expiresAt, isValid, problem } = validityOf(cert, nowMs);
  if (problem === undefined) return { status: 'pass', expiresAt };
  return { status: isValid ? 'warn' : 'fail', problem, expiresAt };
}
