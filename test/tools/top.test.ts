import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textWidth } from '../../internal/lib/text-width.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { program } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { urlOf } from '../support/listeners.ts';
import { startInTerminal } from '../support/pseudo-terminal.ts';
import { runTinymq, startTinymq } from '../support/tinymq-program.ts';

const ENTERED = '\u001b[?1049h\u001b[?25l';
const LEFT = '\u001b[?25h\u001b[?1049l';
const folder = mkdtempSync(join(tmpdir(), 'tinymq-top-'));
const dataDir = join(folder, 'data');
let broker: RunningBroker;
let traffic: NodeJS.Timeout;

function started(): Promise<RunningBroker> {
  return startBroker({
    ...{ listen: ['tcp://127.0.0.1:0'], http: { listen: ['http://127.0.0.1:0'] } },
    ...{ dataDir, adminSocket: true, sysIntervalMs: 0, keep: [{ filter: 'kept/#' }] },
  });
}

beforeAll(async () => {
  broker = await started();
  const client = await connectMqtt(urlOf(broker, 'frames'), 5, { clientId: 'センサー-1' });
  await client.subscribe('kept/#', 0);
  traffic = setInterval(() => {
    client.publish('kept/hall', 'x');
    client.publish('live/hall', 'x');
  }, 20);
});
afterAll(async () => {
  clearInterval(traffic);
  await broker.close();
  rmSync(folder, { recursive: true });
});

describe('tinymq top in a pipe', () => {
  it.each([
    ['by the socket of the owner', () => ['-data-dir', dataDir]],
    ['by the HTTP door', () => ['-url', urlOf(broker, 'http')]],
  ])('prints a line for each sample %s', async (_, place) => {
    const { code, out, errors } = await runTinymq(['top', '-interval', '1', '-count', '2', ...place()]);
    expect([code, errors]).toEqual([0, '']);
    expect(out).toMatch(/^(\S+Z {2}in \d+\/s .* {2}out \d+\/s .* {2}waiting 0 .* {2}health pass\n){2}$/);
  });

  it('prints an object for each with -json: rates of doors, clients and topics', async () => {
    const args = ['top', '-interval', '1', '-count', '1', '-json', '-data-dir', dataDir];
    const { out } = await runTinymq(args);
    const sample = JSON.parse(Buffer.from(out, 'latin1').toString());
    expect(sample).toMatchObject({
      ...{ health: 'pass', dropped: 0, connections: expect.any(Number) },
      clients: [expect.objectContaining({ client: 'センサー-1', door: 'mqtt' })],
    });
    expect(sample.perSecond.messagesIn).toBeGreaterThan(0);
    expect(sample.topics).toHaveLength(2);
    const [kept, onlyLive] = ['kept/hall', 'live/hall'].map((name) =>
      sample.topics.find(({ topic }: { topic: string }) => topic === name),
    );
    // Half of what the client publishes in the second goes to each.
    for (const { messagesPerSecond } of [kept, onlyLive])
      expect(messagesPerSecond / sample.perSecond.messagesIn).toBeCloseTo(0.5, 1);
    expect(kept.log.recordsPerSecond).toBeGreaterThan(0);
    expect(onlyLive.log).toBeUndefined();
  });
});

const live = () =>
  startInTerminal('tinymq', ['top', '-interval', '1', '-data-dir', dataDir], {
    afterwards: 'code=$?; stty -a; echo "ended with $code"',
  });

describe('tinymq top in a terminal', () => {
  it('shows samples in place of each other, takes keys, and gives the terminal back with q', async () => {
    using view = live();
    await view.shows('センサー-1');
    await view.shows('bytes*');
    view.type('w');
    await view.shows('waiting*');
    view.type('q');
    await view.shows('ended with 0');
    const screen = view.screen();
    expect(screen.startsWith(ENTERED)).toBe(true);
    // Nothing is ever cleared before it is written again, or it would flicker.
    expect(screen).not.toContain('\u001b[2J');
    const after = screen.slice(screen.indexOf(LEFT));
    expect(after).toMatch(/[^-]icanon/);
    expect(after).toMatch(/[^-]echo /);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('gives it back after %s', async (signal) => {
    using view = live();
    await view.shows('センサー-1');
    const found = spawnSync('pgrep', ['-f', `start.cjs tinymq top -interval 1 -data-dir ${dataDir}`]);
    const pids = found.stdout.toString().trim().split('\n').map(Number);
    // The shell and the script around it have the same words.
    process.kill(Math.max(...pids), signal);
    await view.shows('ended with 0');
    expect(view.screen().slice(view.screen().indexOf(LEFT))).toMatch(/[^-]icanon/);
  });

  const hasTmux = spawnSync('tmux', ['-V']).status === 0;
  it.runIf(hasTmux)('fits 80 columns and 24 lines, and others', async () => {
    const tmux = (...args: string[]) =>
      spawnSync('tmux', ['-L', `top-${process.pid}`, ...args], {
        env: { ...process.env, LC_ALL: 'C.UTF-8' },
      });
    const captured = () => tmux('capture-pane', '-p', '-t', 'top').stdout.toString().split('\n').slice(0, -1);
    tmux(
      '-u',
      'new-session',
      '-d',
      '-x',
      '80',
      '-y',
      '24',
      '-s',
      'top',
      `${program('tinymq')} top -data-dir ${dataDir} -interval 1`,
    );
    try {
      const lines = await eventually(() => {
        const shown = captured();
        const has = (topic: string) => shown.some((line) => line.includes(topic));
        return has('kept/hall') && has('live/hall') && shown;
      }, 'a sample');
      expect(lines).toHaveLength(24);
      expect(lines[0]).toMatch(/^tinymq \S+ {3}up \d+ (?:s|min) {3}health pass/);
      expect(lines[23]).toMatch(/^q quit/);
      for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(80);
      tmux('resize-window', '-t', 'top', '-x', '50', '-y', '12');
      await eventually(() => {
        const smaller = captured();
        return smaller.length === 12 && smaller[11]!.startsWith('q quit') && smaller[0]!.startsWith('tinymq');
      }, 'the smaller view');
    } finally {
      tmux('kill-server');
    }
  });
});

describe('tinymq top of a broker that goes away', () => {
  it('says so, and goes on when it is back', async () => {
    const place = join(folder, 'restarted');
    const options = { listen: ['tcp://127.0.0.1:0'], dataDir: place, adminSocket: true, sysIntervalMs: 0 };
    const first = await startBroker(options);
    using watching = startTinymq(['top', '-interval', '1', '-data-dir', place]);
    await eventually(() => watching.out().includes('health pass'), 'a sample');
    await first.close();
    await eventually(
      () => /^no answer from the broker: .*; asking again\n$/.test(watching.errors()),
      'word of the broker',
    );
    const samples = watching.out().split('\n').length;
    await using _again = await startBroker(options);
    await eventually(() => watching.out().split('\n').length > samples, 'samples of the next one');
    watching.child.kill('SIGTERM');
    expect((await watching.ended).code).toBe(0);
  });

  it('fails at once where there was none', async () => {
    const { code, errors } = await runTinymq(['top', '-data-dir', join(folder, 'none')]);
    expect(code).toBe(1);
    expect(errors).toMatch(/^tinymq top: no broker runs with /);
  });
});
