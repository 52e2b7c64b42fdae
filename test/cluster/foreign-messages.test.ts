import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { connectToNats } from '../../internal/cluster/connection.ts';
import { LOAD_FLAGS, startLoad } from '../support/cluster-load.ts';
import { nodesHeard } from '../support/cluster-nodes.ts';
import { startClusterProcesses } from '../support/mortal-cluster.ts';
import { natsServer } from '../support/nats-servers.ts';

/*
 * Only brokers have to do with the subjects of a cluster, and operators who try something. What no broker sent is passed over with a
 * word about it: no broker ends by it or loses its connection, no shard stands still, and the next start passes it over as well.
 */

const program = await natsServer();

const BODIES = [
  '',
  'null',
  '5',
  '"x"',
  '[]',
  '[null]',
  '{}',
  '{"node":777,"beat":1}',
  '\0\0\0\x02{}',
  '\xff\xff\xff\xff',
  // The kinds of packets between nodes, with nothing that can be read behind them, and with something else than they hold.
  ...Array.from({ length: 10 }, (_, index) => String.fromCharCode(index + 1)).flatMap((kind) => [
    kind,
    `${kind}{`,
    `${kind}{}`,
  ]),
];

/** One subject for each kind of message that lasts, some of them with messages of brokers. */
const LASTING = [
  ...['meta.t.foreign', 'meta.k.foreign', 'shared.r.foreign', 'shared.w.foreign', 'shared.a.foreign'],
  ...['0.m', '0.l.0.-', '0.l.8.-', '0.l.x.y', '0.f.0', '0.d.77', '0.g.a.b.0', '0.h.a'],
];
const ASKED = ['forward', 'delete', 'topics', 'ping'];
const LIVE = ['x', '1.1.0.1', '1.1.1.2', '8.1.0.-1', 'a.b.c.d'];

describe.runIf('there' in program)('messages that no broker sent', () => {
  it('are passed over, now and at the next start', async () => {
    const natsProgram = 'there' in program ? program.there : '';
    await using cluster = await startClusterProcesses(natsProgram, {
      ...{ flags: [...LOAD_FLAGS, '-cluster-fsync', 'os'], nodes: 2, nats: { servers: 1 } },
    });
    const load = await startLoad(cluster.nodes);
    const connection = await connectToNats({ urls: cluster.nats.urls, fsync: 'os' });
    const nodes = await nodesHeard(connection, 2);
    const subjects = [
      ...['beat', ...LASTING],
      ...nodes.flatMap((node) => ASKED.map((what) => `node.${node}.${what}`)),
      ...nodes.flatMap((node) => LIVE.map((place) => `live.${node}.${place}`)),
    ];
    for (const subject of subjects) {
      for (const body of [...BODIES.map((text) => Buffer.from(text, 'latin1')), randomBytes(100)]) {
        connection.publish(`tinymq.${subject}`, body);
        connection.publish(`tinymq.${subject}`, body, { reply: 'nobody.asks' });
      }
    }
    await connection.flush();
    await connection.close();
    await load.untilAnswered(20, 'foreign messages');
    for (const node of cluster.nodes) {
      const { code, stderr } = await node.stop();
      expect(code).toBe(0);
      expect(stderr).toContain('a message that no broker of this cluster wrote is passed over');
      expect(stderr).not.toContain('"level":"error"');
      await node.start();
      await load.untilAnswered(2, 'a start beside foreign messages');
    }
    expect(await load.problems(cluster.nodes[0]!)).toEqual([]);
  }, 240_000);
});
