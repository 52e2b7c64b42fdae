import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { asRecordBatch, writeKafkaDirectory } from '../../test/support/kafka-directory.ts';
import { describeStore, type StoreKind } from '../../test/support/log-store-behaviour.ts';
import { DataFolderStore } from './data-folder/data-folder-store.ts';
import { KafkaDirectoryStore } from './kafka-directory/kafka-directory-store.ts';
import { MemoryStore } from './memory/memory-store.ts';
import { SqliteStore } from './sqlite/sqlite-store.ts';

/** A store more is a row more here; that of a cluster is in test/cluster. */
const kinds: StoreKind[] = [
  {
    name: 'memory',
    // Memory that is closed and opened again is the nearest that it comes to a restart.
    start: () => ({ store: new MemoryStore(), reopen: (closed) => closed }),
  },
  {
    name: 'SQLite',
    start() {
      const folder = mkdtempSync(join(tmpdir(), 'tinymq-store-'));
      folders.push(folder);
      const create = () => new SqliteStore({ directory: join(folder, 'data'), fsync: 'os' });
      return { store: create(), reopen: create };
    },
  },
  {
    name: 'a data folder',
    start() {
      const folder = mkdtempSync(join(tmpdir(), 'tinymq-store-'));
      folders.push(folder);
      const create = () =>
        new DataFolderStore({ directory: join(folder, 'data'), fsync: 'os', segmentBytes: 150_000 });
      return { store: create(), reopen: create };
    },
    form: asRecordBatch,
  },
  {
    name: 'a Kafka log directory',
    start() {
      const folder = mkdtempSync(join(tmpdir(), 'tinymq-store-'));
      folders.push(folder);
      writeKafkaDirectory(folder);
      // Small enough that the larger tests have several segments.
      const create = () =>
        new KafkaDirectoryStore({ directories: [folder], fsync: 'os', segmentBytes: 150_000 });
      return { store: create(), reopen: create };
    },
    form: asRecordBatch,
  },
];

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

for (const kind of kinds) describeStore(kind);
