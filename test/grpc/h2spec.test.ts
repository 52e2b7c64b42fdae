import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { succeeds, type Toolchain, toolchain } from '../interop/support/toolchains.ts';
import { run } from '../support/broker-process.ts';
import { installedOnce, mustRun } from '../support/installed-once.ts';
import { openTestDoor } from './grpc-door.ts';

/*
 * h2spec, the conformance suite of HTTP/2 and HPACK: all of its cases, those for strict servers among them.
 */

const VERSION = 'github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible';

function h2spec(): Promise<Toolchain<string>> {
  return toolchain('go', succeeds('go', 'version'), async () => {
    const folder = await installedOnce('h2spec', VERSION, async (into) => {
      const bin = join(into, 'bin');
      mkdirSync(bin);
      await mustRun('env', [`GOBIN=${bin}`, 'go', 'install', VERSION]);
    });
    return join(folder, 'bin/h2spec');
  });
}

const suite = await h2spec();

describe.runIf('there' in suite)('h2spec', () => {
  const command = 'there' in suite ? suite.there : '';

  it('finds nothing', { timeout: 120_000 }, async () => {
    // It opens all of them, and refused requests stay open for half a second only.
    const door = await openTestDoor({ settings: { callsPerConnection: 100 } });
    const { port } = new URL(door.door.url.replace('grpc:', 'http:'));
    const { code, stdout } = await run(command, ['-h', '127.0.0.1', '-p', port, '--strict', '-o', '5']);
    const [, tests, passed, skipped, failed] = /(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed/.exec(
      stdout,
    )!;
    expect({ code, failed, skipped }, stdout).toEqual({ code: 0, failed: '0', skipped: '0' });
    expect(passed).toBe(tests);
    await door.close();
  });
});

it('h2spec is here, or it is said why not', () => {
  if ('missing' in suite) console.warn(`h2spec: ${suite.missing}`);
});
