/*
 * The projects of vitest: which test files run side by side. `unit` and `system` take a worker for each core, `alone` runs one
 * file after the other. A new file below test/ is in `system`: it needs ports (0) and folders (mkdtemp) of its own.
 */

/** Tests beside their subjects. Together they take less than a minute. */
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
  // They install what was built, and build apps with it.
  'test/sdk/install.test.ts',
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
