import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { PacketKind } from '../../internal/doors/links/packets.ts';
import { offsetCommit } from '../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { ReasonCode } from '../../internal/protocol/mqtt/reason-codes.ts';
import { chromium } from '../interop/support/toolchains.ts';
import { connectMqtt, openMqtt } from '../mqtt/client.ts';
import { post, startHttp } from '../support/http-door.ts';
import { commitOf, KafkaWire } from '../support/kafka-wire.ts';
import { openPage, PATIENCE_MS, rowOf, useBrowser } from './browser.ts';
import { startTwoNodes } from './two-nodes.ts';

const browser = chromium();

describe('the page shows what clients did', () => {
  if ('missing' in browser) {
    it(browser.missing, ({ skip }) => skip());
    return;
  }
  useBrowser(browser.there);

  it('as a whole: doors, rates, health, the last hour', async () => {
    const { http, frames, broker } = await startHttp({ kafka: { listen: ['tcp://127.0.0.1:0'] } });
    const client = await connectMqtt(frames, 5);
    const { page } = await openPage(http);
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    const doors = page.getByRole('table', { name: 'Doors and their rates' });
    for (const { door, url } of broker.listeners) {
      expect(await doors.getByRole('row').filter({ hasText: url }).textContent()).toContain(door);
    }
    const publisher = setInterval(() => client.publish('a', 'x'), 20);
    const figure = page.locator('.figure').filter({ hasText: 'Messages in' }).locator('.figure-value');
    await expect
      .poll(async () => Number(await figure.textContent()), { timeout: PATIENCE_MS })
      .toBeGreaterThan(1);
    clearInterval(publisher);
    await page.getByText('Nothing was dropped.').waitFor();
    await page.getByRole('region', { name: 'Health' }).getByText('store', { exact: true }).waitFor();
    await page.getByRole('img', { name: 'Messages in per second, last hour' }).locator('canvas').waitFor();
    client.drop();
  });

  it('each client, which is found, looked at and disconnected', async () => {
    const { http, frames } = await startHttp();
    const clients = await Promise.all(
      ['pump-1', 'pump-2', 'valve'].map((clientId) => connectMqtt(frames, 5, { clientId })),
    );
    await clients[1]!.subscribe('sensors/+/temp', 1);
    const { page } = await openPage(http, 'clients');
    await rowOf(page, 'valve').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('PUMP');
    await expect.poll(() => rowOf(page, 'valve').count(), { timeout: PATIENCE_MS }).toBe(0);
    await page.getByRole('link', { name: 'pump-2' }).click();
    await page.getByRole('link', { name: 'sensors/+/temp' }).waitFor();
    await page.getByRole('button', { name: 'Disconnect' }).click();
    const dialog = page.getByRole('dialog', { name: 'Disconnect pump-2?' });
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Disconnect' }).click();
    await dialog.getByRole('button', { name: 'Disconnect' }).click();
    const told = await clients[1]!.next(PacketType.disconnect);
    expect(told.reasonCode).toBe(ReasonCode.administrativeAction);
    await page.getByText('pump-2 is disconnected.').waitFor();
    for (const client of clients) client.drop();
  });

  // Whoever went elsewhere while the page was drawn for the first time stayed where he was.
  it('the place in the address bar, also where that changes before the page has been drawn', async () => {
    const { http } = await startHttp();
    const { page } = await openPage(http, 'overview', {}, "location.hash = '#/groups'");
    await page.getByRole('heading', { name: 'Groups' }).waitFor();
  });

  it('a client that was refused, with the rule and what to do', async () => {
    const { http, frames } = await startHttp();
    const client = await openMqtt(frames, 5);
    await client.connect({ clientId: 'loud' });
    client.publish('$SYS/mine', 'x', { qos: 1 });
    await client.next(PacketType.puback);
    const { page } = await openPage(http, 'why?name=loud');
    const fate = page.getByRole('listitem').filter({ hasText: 'reserved-topic' });
    await fate.waitFor();
    const text = await fate.textContent();
    for (const part of ['refused', 'loud', '$SYS/mine', 'Choose another topic.'])
      expect(text).toContain(part);
    client.drop();
  });

  it('live, what a message meets on its way', async () => {
    const { http, frames } = await startHttp();
    const client = await connectMqtt(frames, 5, { clientId: 'listener' });
    await client.subscribe('way/#');
    const { page } = await openPage(http, 'why?tab=trace&name=way%2F%23');
    await page.getByRole('button', { name: 'Trace' }).click();
    await page.getByText('Nothing happened yet.').waitFor();
    const publisher = setInterval(() => post(http, 'way/1', 'x'), 200);
    await page.getByRole('listitem').filter({ hasText: 'listener' }).first().waitFor();
    clearInterval(publisher);
    await page.getByRole('button', { name: 'Stop' }).click();
    client.drop();
  });

  it('the lag of a group, and resets it', async () => {
    const { http, broker } = await startHttp({
      keep: [{ filter: 'orders' }],
      kafka: { listen: ['tcp://127.0.0.1:0'] },
    });
    for (let n = 0; n < 7; n++) await post(http, 'orders?qos=1', `${n}`);
    const wire = await KafkaWire.open(broker.listeners.find(({ door }) => door === 'kafka')!.url);
    await wire.ask(offsetCommit, 7, commitOf('billing', 'orders', 2));
    const { page } = await openPage(http, 'groups');
    await page.getByRole('link', { name: 'billing' }).click();
    const offsets = page.getByRole('table', { name: 'Offsets of the group' });
    expect(await cellsOf(offsets.getByRole('row').nth(1))).toEqual(['orders', '0', '2', '7', '5']);
    await page.getByRole('button', { name: 'Reset offsets' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Go on at').selectOption('offset');
    await dialog.getByLabel('Offset').fill('6');
    await dialog.getByRole('button', { name: 'Reset' }).click();
    await page.getByText('The offsets are reset.').waitFor();
    await offsets.getByRole('cell', { name: '6', exact: true }).waitFor();
    expect(await cellsOf(offsets.getByRole('row').nth(1))).toEqual(['orders', '0', '6', '7', '1']);
    wire.socket.destroy();
  });

  it('the nodes of a cluster, with the links between them', async () => {
    const { http, urlOf, brokers } = await startTwoNodes();
    const { page } = await openPage(http);
    await page.getByRole('link', { name: 'Nodes' }).waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('n');
    await page.getByRole('heading', { name: 'Nodes' }).waitFor();
    const table = page.getByRole('table', { name: 'Nodes of the cluster' });
    const here = table.getByRole('row').filter({ hasText: urlOf(0, 'http') });
    const there = table.getByRole('row').filter({ hasText: urlOf(1, 'http') });
    await here.getByText('this one').waitFor();
    await page
      .getByRole('listitem')
      .filter({ hasText: 'Groups coordinated by' })
      .getByText('node 1')
      .waitFor();
    await there.getByText('1 filter').waitFor();
    await there.getByText('open').waitFor();
    const [node, , , , clients, , , waiting, lost] = await cellsOf(there);
    expect(node).toContain('node 2');
    expect([clients, waiting, lost]).toEqual(['1', '0 B', '0']);
    await brokers[1]!.close();
    await expect.poll(() => there.count(), { timeout: PATIENCE_MS }).toBe(0);
  });

  it('the messages that did not get to another node', async () => {
    const { http, shared } = await startTwoNodes();
    shared.loses = (from, _, packet) => from === 1 && packet[0] === PacketKind.messages;
    await post(http, 'a/1', 'x');
    const { page } = await openPage(http, 'nodes');
    const lost = page.locator('.figure-bad').filter({ hasText: 'Lost' });
    await lost.getByText('1', { exact: true }).waitFor();
    expect((await cellsOf(rowOf(page, 'node 2'))).at(-1)).toBe('1');
  });

  it('the node that leads each partition of a log', async () => {
    const { http, shared } = await startTwoNodes();
    const { page } = await openPage(http, 'topics?topic=orders&tab=log');
    const partitions = page.getByRole('table', { name: 'Partitions of the log' });
    await partitions.getByRole('link', { name: 'node 1' }).waitFor();
    expect((await cellsOf(partitions.getByRole('row').nth(1))).slice(0, 3)).toEqual(['0', '0', '1']);
    await shared.move(shared.members[1]!);
    await partitions.getByRole('link', { name: 'node 2' }).click();
    await page.getByRole('heading', { name: 'Nodes' }).waitFor();
  });

  it('no nodes of a broker on its own, and how to have some', async () => {
    const { http } = await startHttp();
    const { page } = await openPage(http, 'nodes');
    await page.getByText('This broker is on its own.').waitFor();
    await page.getByText('docs/cluster.md').waitFor();
    expect(await page.getByRole('link', { name: 'Nodes' }).count()).toBe(0);
    await page.keyboard.press('?');
    const keys = page.getByRole('dialog', { name: 'Keys' });
    await keys.getByText('Overview').waitFor();
    expect(await keys.getByText('Nodes').count()).toBe(0);
  });

  it('sessions of clients that are away, and ends them', async () => {
    const { http, frames } = await startHttp();
    const properties = { sessionExpiryIntervalS: 3600 };
    const client = await connectMqtt(frames, 5, { clientId: 'sleeper', properties });
    await client.subscribe('a', 1);
    client.drop();
    await post(http, 'a', 'waits');
    const { page } = await openPage(http, 'sessions');
    await rowOf(page, 'sleeper').getByText('away').waitFor();
    await page.getByRole('button', { name: 'End the session of sleeper' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'End the session' }).click();
    await page.getByText('There are no sessions.').waitFor();
  });

  it('retained messages, and clears them', async () => {
    const { http } = await startHttp();
    await post(http, 'lamps/1?retain', 'on');
    await post(http, 'lamps/2?retain', 'off');
    const { page } = await openPage(http, 'retained?filter=lamps%2F%2B');
    await rowOf(page, 'lamps/2').waitFor();
    await page.getByRole('button', { name: 'Clear lamps/1' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Clear' }).click();
    await expect.poll(() => rowOf(page, 'lamps/1').count(), { timeout: PATIENCE_MS }).toBe(0);
    expect((await fetch(`${http}/topics/lamps/1`)).status).toBe(404);
  });
});

async function cellsOf(row: ReturnType<Page['locator']>): Promise<string[]> {
  const cells = row.getByRole('cell');
  await cells.first().waitFor();
  return cells.allTextContents();
}
