/**
 * The rooms and which way imports may point: cmd → doors → {broker, log, access} → protocol.
 * internal/README.md draws the same picture for people.
 */
const room = (path) => `^internal/${path}(/|\\.ts$)`;

/** `from` may import nothing of the project outside itself and `allowed`. */
function onlyImports(name, from, allowed, comment) {
  return {
    name,
    comment,
    severity: 'error',
    from: { path: from, pathNot: '\\.test\\.ts$' },
    to: {
      path: '^(cmd|internal|pkg|bench|test|certs)/',
      pathNot: [from, ...allowed],
    },
  };
}

const shared = [room('errors'), room('limits'), room('topic')];

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'not-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependencies-in-the-product',
      severity: 'error',
      from: { path: '^(cmd|internal|pkg)/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: {
        orphan: true,
        path: '^(internal|pkg)/',
        pathNot: ['\\.test\\.ts$', '\\.d\\.ts$'],
      },
      to: {},
    },
    onlyImports('transport-knows-no-protocol', room('transport'), [], 'byte streams only'),
    onlyImports('protocol-is-pure', room('protocol'), [], 'bytes in, values out'),
    onlyImports('metrics-is-a-leaf', room('metrics'), [], 'counted by everybody, knows nobody'),
    onlyImports('errors-and-limits-are-leaves', '^internal/(errors|limits|topic)\\.ts$', [], 'tables'),
    onlyImports('access-decides-only', room('access'), shared, 'who is this, and may they'),
    onlyImports('config-is-tables', room('config'), shared, 'flags, environment, file'),
    onlyImports(
      'the-broker-names-no-door-and-no-protocol',
      room('broker'),
      [...shared, room('access'), room('metrics')],
      'encodings are handed to it',
    ),
    onlyImports(
      'the-log-knows-its-store',
      room('log'),
      [...shared, room('store'), room('metrics')],
      'and no format',
    ),
    onlyImports(
      'the-store-stands-alone',
      '^internal/store/(?!kafka-)',
      [room('store'), ...shared],
      'it keeps what it is given',
    ),
    onlyImports(
      'the-store-of-kafka-knows-its-format',
      '^internal/store/kafka-',
      [room('store'), '^internal/protocol/kafka/', ...shared],
      'its files are those of Kafka',
    ),
    onlyImports(
      'live-joins-broker-and-log',
      room('live'),
      [...shared, room('broker'), room('log'), room('store'), room('protocol'), room('metrics')],
      'what crosses between live topics and logs',
    ),
    onlyImports(
      'doors-do-not-know-each-other',
      '^internal/doors/([^/]+)/',
      [
        '^internal/doors/$1/',
        '^internal/doors/[^/]+\\.ts$',
        room('broker'),
        room('log'),
        room('live'),
        room('access'),
        room('transport'),
        room('protocol'),
        room('metrics'),
        ...shared,
      ],
      'a door is a connection of transport, a protocol, the broker and the log',
    ),
    onlyImports(
      'the-client-stands-alone',
      '^pkg/client/',
      ['^internal/protocol/(frame/|partial\\.ts$)', room('topic'), room('needed-runtime')],
      'an app must be able to bundle it for a browser',
    ),
    {
      name: 'nobody-imports-a-program',
      severity: 'error',
      from: { pathNot: '^(cmd|test)/' },
      to: { path: '^cmd/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Programs of test clients import what their tests install.
    exclude: { path: ['^(dist|bin)/', '^test/[^/]+/clients/'] },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
    },
  },
};
