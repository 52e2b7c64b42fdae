/**
 * The rooms and which way imports may point: cmd, pkg/embed → server → doors → live, persistence → broker, log → store → batch.
 * internal/README.md draws the same picture for people; test/house/imports.test.ts shows that a wrong import fails.
 */
const room = (path) => `^internal/${path}(/|\\.ts$)`;

/** `from` may import nothing of the project outside `own`, which is itself unless given, and `allowed`. */
function onlyImports(name, from, allowed, comment, own = from) {
  return {
    name,
    comment,
    severity: 'error',
    from: { path: from, pathNot: '\\.test\\.ts$' },
    to: {
      path: '^(cmd|internal|pkg|bench|test|certs)/',
      pathNot: [own, ...allowed],
    },
  };
}

/** Tables and small parts that everybody may use. */
const shared = [room('errors'), room('limits'), room('topic'), room('lib')];

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'not-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependencies-in-the-product',
      severity: 'error',
      // The page carries what it needs in its bundle, and a release is made where everything is installed.
      from: { path: '^(cmd|internal|pkg)/', pathNot: ['\\.test\\.ts$', '^internal/page/', '^cmd/release/'] },
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
    onlyImports('transport-knows-no-protocol', room('transport'), [room('lib')], 'byte streams only'),
    onlyImports('protocol-is-pure', room('protocol'), [room('lib')], 'bytes in, values out'),
    onlyImports('batch-is-the-format-of-the-log', room('batch'), [room('lib')], 'bytes in, records out'),
    onlyImports(
      'observe-is-a-leaf',
      '^internal/observe/(?!otlp/)',
      [...shared, room('observe')],
      'told by everybody, knows nobody',
    ),
    onlyImports(
      'exports-know-their-wire-format',
      '^internal/observe/otlp/',
      [...shared, room('observe'), '^internal/protocol/(otlp|grpc)/'],
      'what is observed, in bytes for a collector',
    ),
    onlyImports('limits-are-a-leaf', room('limits'), [], 'numbers with reasons'),
    onlyImports('errors-and-topics-are-leaves', '^internal/(errors|topic)\\.ts$', [], 'tables'),
    onlyImports('lib-is-a-leaf', room('lib'), [], 'small parts without a subject'),
    onlyImports('access-decides-only', room('access'), shared, 'who is this, and may they'),
    onlyImports(
      'admin-is-a-table-of-operations',
      room('admin'),
      [
        ...shared,
        ...['access', 'broker', 'log', 'groups', 'live', 'observe'].map(room),
        '^internal/transport/unix-socket\\.ts$',
      ],
      'what the owner of a broker does to it, whoever serves it',
    ),
    onlyImports(
      'the-broker-names-no-door-and-no-protocol',
      room('broker'),
      [...shared, room('access'), room('observe')],
      'encodings are handed to it',
    ),
    onlyImports(
      'the-log-knows-its-store',
      room('log'),
      [...shared, room('batch'), room('store'), room('observe')],
      'and the format of its batches',
    ),
    onlyImports(
      'groups-know-their-store',
      room('groups'),
      [...shared, room('store'), room('observe')],
      'and no log',
    ),
    onlyImports(
      'the-cluster-is-a-store-of-logs',
      room('cluster'),
      [...shared, room('log'), room('store'), room('observe')],
      'kept by NATS JetStream, and shared by nodes',
    ),
    onlyImports(
      'the-store-stands-alone',
      '^internal/store/(?!kafka-directory/)',
      [room('store'), ...shared],
      'it keeps what it is given',
    ),
    onlyImports(
      'the-store-of-kafka-knows-its-format',
      '^internal/store/kafka-directory/',
      [room('store'), room('batch'), '^internal/protocol/kafka/', ...shared],
      'its files are those of Kafka',
    ),
    onlyImports(
      'live-joins-broker-and-log',
      room('live'),
      [
        ...shared,
        room('broker'),
        room('log'),
        room('store'),
        room('batch'),
        room('protocol'),
        room('observe'),
      ],
      'what crosses between live topics and logs',
    ),
    onlyImports(
      'persistence-joins-broker-and-store',
      room('persistence'),
      [...shared, room('broker'), room('access'), room('store'), room('protocol'), room('observe')],
      'users, sessions, retained messages and wills in a store',
    ),
    onlyImports(
      'doors-do-not-know-each-other',
      '^internal/doors/([^/]+)/',
      [
        '^internal/doors/clients/',
        '^internal/doors/[^/]+\\.ts$',
        ...[
          'admin',
          'broker',
          'log',
          'groups',
          'batch',
          'live',
          'access',
          'transport',
          'protocol',
          'observe',
        ].map(room),
        ...shared,
      ],
      'a door is a connection of transport, a protocol, the broker and the log',
      '^internal/doors/$1/',
    ),
    {
      name: 'what-doors-share-knows-no-door',
      severity: 'error',
      from: { path: '^internal/doors/clients/', pathNot: '\\.test\\.ts$' },
      to: { path: '^internal/doors/(?!clients/|[^/]+\\.ts$)' },
    },
    onlyImports(
      'clients-speak-to-any-broker',
      room('clients'),
      [...shared, room('protocol'), room('batch'), '^internal/transport/endpoint\\.ts$'],
      'they know wire formats, no broker of ours',
    ),
    {
      name: 'the-server-is-built-from-the-top',
      severity: 'error',
      from: { path: '^internal/', pathNot: ['^internal/server/', '\\.test\\.ts$'] },
      to: { path: '^internal/server/' },
    },
    {
      name: 'the-public-face-knows-the-server-only',
      severity: 'error',
      from: { path: '^pkg/embed/', pathNot: '\\.test\\.ts$' },
      to: {
        path: '^(internal|pkg)/',
        pathNot: [
          '^pkg/embed/',
          '^internal/(server|access|broker|transport)/',
          '^internal/lib/(needed-runtime|clock)\\.ts$',
        ],
        dependencyTypesNot: ['type-only'],
      },
    },
    onlyImports(
      'the-client-stands-alone',
      '^pkg/client/',
      [
        '^internal/protocol/(frame/|partial\\.ts$)',
        '^internal/lib/((needed-)?runtime|nearest|quiet-sqlite|shown-address|system-reason)\\.ts$',
        room('topic'),
      ],
      'an app must be able to bundle it for a browser',
    ),
    onlyImports('the-page-stands-alone', room('page'), [], 'it runs in a browser and knows the HTTP door'),
    {
      name: 'only-the-cluster-speaks-nats',
      comment: 'loaded only where a cluster is named',
      severity: 'error',
      from: { path: '^(cmd|internal|pkg|test|bench)/', pathNot: room('cluster') },
      to: { path: 'node_modules/@nats-io/' },
    },
    {
      name: 'nobody-imports-the-page',
      severity: 'error',
      from: { pathNot: room('page') },
      to: { path: room('page') },
    },
    {
      name: 'nobody-imports-a-program',
      severity: 'error',
      from: { pathNot: '^(cmd|test)/' },
      to: { path: '^cmd/' },
    },
    {
      name: 'the-product-has-no-test-data',
      severity: 'error',
      from: { path: '^(cmd|internal|pkg)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(test|bench)/' },
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
