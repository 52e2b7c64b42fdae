import { takeSnapshot } from '../../../internal/admin/operations/store.ts';
import { throughSocket } from '../reach/reach.ts';

/**
 * Has the broker that runs with a folder make a snapshot of its logs.
 *
 * @returns its name; undefined where none runs, or where its socket is not open.
 * @throws Failure where the broker has no logs in files, or cannot make one.
 */
export async function snapshotByBroker(folder: string, withValues: boolean): Promise<string | undefined> {
  const done = await throughSocket(folder, (broker) => broker.call(takeSnapshot, { withValues }));
  return done?.result.name;
}

/** The same, with values, of a folder whether a broker has it or not. @throws Failure; StoreError. */
export async function snapshotOfFolder(folder: string): Promise<string> {
  const name = await snapshotByBroker(folder, true);
  if (name !== undefined) return name;
  const { DataFolderStore } = await import('../../../internal/store/data-folder/data-folder-store.ts');
  const store = new DataFolderStore({ directory: folder, fsync: 'commit' });
  try {
    await store.open();
    return await store.snapshot(true);
  } finally {
    await store.close();
  }
}
