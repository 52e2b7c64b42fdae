/*
 * The projects of vitest: which test files run side by side. `unit` and `system` share a worker for each core, then `alone` runs
 * one file after the other. A new file below test/ is in `system`: it needs ports (0) and folders (mkdtemp) of its own.
 */

/** Tests beside their subjects. */
export const UNIT = ['{bench,certs,cmd,internal,pkg}/**/*.test.ts'];

/** Tests that start programs, brokers or stores that are killed; some of them lie beside their subjects too. */
export const SYSTEM = [
  'test/**/*.test.ts',
  'internal/store/{sqlite,kafka-directory}/*-store.test.ts',
  'cmd/{programs,failing-output}.test.ts',
  'cmd/dashmq/dashmq.test.ts',
  'cmd/tinymq/{groups,import,records,smq,topics}/{groups,import,records,smq,topics}.test.ts',
];

/** Files that disturb others or are disturbed by them, by reason. */
export const ALONE = [
  // They take the default ports and look for a broker there.
  'test/faults/listening.test.ts',
  'test/readme.test.ts',
  // They fill a disk that is memory of the machine.
  'test/faults/mqtt-full-disk.test.ts',
  'test/faults/mqtt-log-full-disk.test.ts',
  'test/faults/store-damage.test.ts',
  // They use up the file descriptors or the backlog of the machine, or stop a process that others may wait for.
  'test/faults/descriptors.test.ts',
  'test/faults/mqtt-burst.test.ts',
  // They hold a hundred thousand messages, and look at the memory of a broker.
  'test/faults/broken-clients.test.ts',
  'test/faults/slow-subscribers.test.ts',
  'test/mqtt/retained-many.test.ts',
  // A browser that gets no processor gives up.
  'test/mqtt/browser.test.ts',
  'test/mqtt/pausing-browser.test.ts',
  'test/page/access.test.ts',
  'test/page/login.test.ts',
  'test/page/messages.test.ts',
  'test/page/views.test.ts',
  // They look at the processor time or the pauses of the event loop.
  'test/faults/deadlines.test.ts',
];

/**
 * Files that take longer than a minute on two cores, the longest first: they are begun first (test/sequencer.ts).
 */
export const LONGEST = [
  'test/docs/pages.test.ts',
  'test/behaviour/behaviour.test.ts',
  'test/tools/every-command.test.ts',
  'internal/store/log-store.test.ts',
  'test/tools/groups.test.ts',
  'test/tools/running.test.ts',
  'test/access/tools.test.ts',
  'test/interop/java.test.ts',
  'cmd/tinymq/smq/smq.test.ts',
  'test/interop/security.test.ts',
  'cmd/tinymq/records/records.test.ts',
  'test/cluster/bit-rot.test.ts',
  'test/cluster/rolling-restart.test.ts',
  'test/interop/python.test.ts',
  'test/sdk/install.test.ts',
  'test/access/doors.test.ts',
  'test/interop/node.test.ts',
  'test/tools/backup.test.ts',
  'cmd/programs.test.ts',
];
