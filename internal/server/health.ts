import { statfsSync } from 'node:fs';
import { systemReason } from '../lib/system-reason.ts';
import * as serverLimits from '../limits/server.ts';
import type { Health, HealthCheck } from '../observe/health.ts';
import type { LogStore } from '../store/log-store.ts';
import { type Certificates, validityOf } from '../transport/certificates.ts';

/** Has the store, its disk and the certificate say how they are. */
export function addHealthChecks(
  health: Health,
  kept: { store: LogStore; directory: string | undefined } | undefined,
  certificates: Certificates | undefined,
): void {
  if (kept !== undefined) {
    const { store, directory } = kept;
    health.add('store', () => storeCheck(store));
    if (directory !== undefined) health.add('disk', () => diskCheck(directory.split(',')));
  }
  if (certificates !== undefined) {
    health.add('certificate', () => certificateCheck(certificates.material.cert, Date.now()));
  }
}

function storeCheck(store: LogStore): HealthCheck {
  const { status, problem, waitingChanges, waitingBytes, corruptBatches } = store.health();
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
