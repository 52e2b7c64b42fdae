/*
 * Makes the pictures of the documentation: a broker with an hour of clients behind it, and its page in the browser of the
 * machine. `make screenshots` runs it.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium as driver, type Page } from 'playwright-core';
import { offsetCommit } from '../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { MovableClock, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { chromium } from '../interop/support/toolchains.ts';
import { connectMqtt, type RawMqtt } from '../mqtt/client.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { pathOfProgram } from './program.ts';

const TARGET = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const HOUR_MS = 3_600_000;
const STEP_MS = 10_000;
const STEPS = HOUR_MS / STEP_MS;

const folder = mkdtempSync(join(tmpdir(), 'tinymq-screenshots-'));
const clock = new MovableClock(Date.now() - HOUR_MS);
const broker = await startBroker({
  ...{ listen: ['tcp://127.0.0.1:0'], http: { listen: ['http://127.0.0.1:0'] }, clock },
  ...{ kafka: { listen: ['tcp://127.0.0.1:0'] }, dataDir: folder, keep: [{ filter: 'plant/#' }] },
});
const found = chromium();
if ('missing' in found) throw new Error(found.missing);
const browser = await driver.launch({ executablePath: pathOfProgram(found.there), args: ['--no-sandbox'] });
try {
  const clients = await anHourOfWork(broker);
  mkdirSync(TARGET, { recursive: true });
  const publisher = setInterval(() => work(clients, STEPS), 500);
  await takePictures(browser, urlOf(broker, 'http'));
  clearInterval(publisher);
  for (const client of clients) client.drop();
} finally {
  await browser.close();
  await broker.close();
  rmSync(folder, { recursive: true, force: true });
}

function urlOf({ listeners }: RunningBroker, name: string): string {
  return listeners.find(({ door }) => door === name)!.url;
}

/** Pumps that publish and others that listen, for an hour of the clock of the broker; all of them, the pumps first. */
async function anHourOfWork(broker: RunningBroker): Promise<RawMqtt[]> {
  const url = urlOf(broker, 'frames');
  const names = Array.from({ length: 12 }, (_, index) => `pump-${String(index + 1).padStart(2, '0')}`);
  const pumps = await Promise.all(names.map((clientId) => connectMqtt(url, 5, { clientId })));
  for (const clientId of ['panel-hall', 'panel-gate', 'archive', 'console']) {
    const client = await connectMqtt(url, 5, { clientId });
    if (clientId !== 'console') await client.subscribe(clientId === 'archive' ? '#' : 'plant/+/pressure', 1);
    pumps.push(client);
  }
  for (let step = 0; step < STEPS; step++) {
    work(pumps, step);
    await Promise.all(pumps.slice(0, names.length).map((pump) => pump.expectSilence()));
    await clock.advance(STEP_MS);
  }
  await commit(urlOf(broker, 'kafka'));
  return pumps;
}

/** What happens in one step: more by day than by night, and each value a little different. */
function work(pumps: readonly RawMqtt[], step: number): void {
  const wave = 1 + 0.5 * Math.sin(step / 28) + 0.15 * Math.sin(step / 5);
  const count = Math.round(160 * wave);
  for (let n = 0; n < count; n++) {
    const pump = n % 12;
    const line = 1 + (pump % 4);
    const bar = (2.4 + 0.3 * Math.sin((step + pump) / 9)).toFixed(2);
    const payload = JSON.stringify({ bar: Number(bar), rpm: 1_400 + 10 * (n % 7), state: 'running' });
    pumps[pump]!.publish(`plant/line-${line}/pressure`, payload, {
      retain: true,
      properties: { contentType: 'application/json', userProperties: [['unit', 'bar']] },
    });
    if (n % 4 === 0)
      pumps[pump]!.publish(`rooms/hall-${line}/temp`, (19 + line / 2).toFixed(1), { retain: true });
  }
  if (step % 90 === 30) pumps.at(-1)!.publish('$SYS/broker/reset', 'now', { qos: 1 });
}

async function commit(url: string): Promise<void> {
  const wire = await KafkaWire.open(url);
  const partitions = [{ partitionIndex: 0, committedOffset: 9_000, committedMetadata: '' }];
  await wire.ask(offsetCommit, 7, {
    ...{ groupId: 'billing', generationIdOrMemberEpoch: -1, memberId: '' },
    topics: [{ name: 'plant.line-1.pressure', partitions }],
  });
  wire.socket.destroy();
}

async function takePictures(browser: Browser, http: string): Promise<void> {
  const wide = { viewport: { width: 1280, height: 800 } };
  await picture(browser, http, 'overview', { ...wide, colorScheme: 'light' }, async (page) => {
    await page.goto(`${http}/#/overview`);
    await page.locator('canvas').nth(5).waitFor();
    // Two looks at the counters make a rate.
    await page.waitForTimeout(5_000);
  });
  await picture(browser, http, 'topics', { ...wide, colorScheme: 'dark' }, async (page) => {
    await page.goto(`${http}/#/topics?topic=plant%2F%2B%2Fpressure&tab=follow`);
    await openTree(page);
    await page.waitForTimeout(3_000);
    await page.getByRole('group', { name: 'Messages, newest first' }).getByRole('button').nth(2).click();
  });
  const small = { viewport: { width: 390, height: 800 }, colorScheme: 'dark' as const };
  await picture(browser, http, 'small', small, async (page) => {
    await page.goto(`${http}/#/clients/pump-03`);
    await page.getByRole('heading', { name: 'Who it is' }).waitFor();
  });
}

async function openTree(page: Page): Promise<void> {
  const tree = page.getByRole('tree', { name: 'Topics' });
  for (const name of ['plant', 'line-1', 'line-2', 'rooms', 'hall-1']) {
    await tree.getByRole('treeitem', { name }).first().locator('.chevron').click();
  }
}

async function picture(
  browser: Browser,
  http: string,
  name: string,
  options: BrowserContextOptions,
  show: (page: Page) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext({ baseURL: http, ...options });
  const page = await context.newPage();
  await show(page);
  await page.screenshot({ path: join(TARGET, `${name}.png`), animations: 'disabled' });
  await context.close();
}
