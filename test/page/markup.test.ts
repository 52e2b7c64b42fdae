import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { offsetCommit } from '../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { joinGroup } from '../../internal/protocol/kafka/apis/11-join-group.ts';
import { chromium } from '../interop/support/toolchains.ts';
import { connectMqtt, type RawMqtt } from '../mqtt/client.ts';
import { startHttp } from '../support/http-door.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';
import { openPage, PATIENCE_MS, useBrowser } from './browser.ts';

/** Names that would be more than names to a page that made its elements of text. */
const NAMES = [
  '"><img src=x onerror=alert(1)>',
  "'><script>alert(2)</script>",
  'javascript:alert(3)',
  '&lt;b&gt;&amp;amp;',
  '{{alert(4)}}<%=alert(5)%>',
  '<style>*{display:none}</style>',
  '</title><svg onload=alert(7)>',
  '__proto__',
] as const;

/** What a name could have made. */
const MADE =
  'img, script:not([src]), style, svg:not([aria-hidden]), iframe, [onerror], [onload], a[href^="javascript:"]';

const browser = chromium();

/** A place of the page: one that lists all names, or one of each name. */
type Place = string | ((name: string) => string);

const PLACES: readonly Place[] = [
  'clients?sort=client',
  'sessions',
  'retained',
  'groups',
  'why',
  'access',
  'access?tab=rules',
  'access?tab=limits',
  'topics?topic=%23&tab=follow',
  'topics?topic=kept%2F%23&tab=log',
  (name) => `clients/${encodeURIComponent(name)}`,
  (name) => `clients?search=${encodeURIComponent(name)}`,
  (name) => `groups/${encodeURIComponent(name)}`,
  (name) => `why?name=${encodeURIComponent(name)}`,
  (name) => `topics?topic=${encodeURIComponent(`kept/${name}`)}`,
  (name) => `topics?topic=${encodeURIComponent(`kept/${name}`)}&tab=publish`,
];

/** Windows that ask about something with a name: where, and the button that opens them. */
const WINDOWS: readonly [place: Place, button: (name: string) => string][] = [
  ['access', (name) => `Change ${name}`],
  ['access', (name) => `Disable ${name}`],
  ['access', (name) => `Remove ${name}`],
  ['sessions', (name) => `End the session of ${name}`],
  ['retained', (name) => `Clear kept/${name}`],
  [(name) => `clients/${encodeURIComponent(name)}`, () => 'Disconnect'],
];

describe('names full of markup are names', () => {
  if ('missing' in browser) {
    it(browser.missing, ({ skip }) => skip());
    return;
  }
  useBrowser(browser.there);

  it('in every view', async () => {
    const { http, end } = await startNamed();
    const { page } = await openPage(http);
    for (const place of PLACES) {
      const each = typeof place === 'string' ? [[place, ...NAMES]] : NAMES.map((name) => [place(name), name]);
      for (const [at, ...names] of each) {
        await page.goto(`${http}/#/${at}`);
        for (const name of names) await expectName(page, 'main', name, at!);
      }
    }
    end();
  }, 240_000);

  it('in every window', async () => {
    const { http, end } = await startNamed();
    const { page } = await openPage(http);
    for (const [place, button] of WINDOWS) {
      for (const name of NAMES) {
        await page.goto(`${http}/#/${typeof place === 'string' ? place : place(name)}`);
        await page.getByRole('button', { name: button(name), exact: true }).click();
        await page.locator('dialog').waitFor();
        await expectName(page, 'dialog', name, button(name));
        await page.getByText('Looking who would lose what').waitFor({ state: 'hidden' });
        await page.keyboard.press('Escape');
        await page.locator('dialog').waitFor({ state: 'hidden' });
      }
    }
    end();
  }, 240_000);
});

/** Waits until a name stands somewhere as it is, and looks that it has made nothing. */
async function expectName(page: Page, where: string, name: string, what: string): Promise<void> {
  const text = () => page.locator(where).textContent();
  await expect.poll(text, { timeout: PATIENCE_MS, message: what }).toContain(name);
  expect(await page.locator(where).locator(MADE).count(), what).toBe(0);
}

/** A broker in which everything that has a name has each of {@link NAMES}, and everybody may do nearly everything. */
async function startNamed() {
  const { http, frames, broker } = await startHttp({
    keep: [{ filter: 'kept/#', name: 'all' }],
    kafka: { listen: ['tcp://127.0.0.1:0'] },
  });
  const ask = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${http}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    expect([path, answer.status, await answer.text()]).toEqual([path, 200, expect.any(String)]);
  };
  await ask('/rules', { rule: { id: 'rest', allow: 'all', users: ['*', 'anonymous'] } });
  const clients: RawMqtt[] = [];
  const wires: KafkaWire[] = [];
  for (const [index, name] of NAMES.entries()) {
    await ask('/users', { name, newPassword: 'secret', groups: [name] });
    const rule = { id: `r-${index}`, deny: 'publish', users: name, groups: name, topics: `denied/${name}` };
    await ask('/rules', { rule, place: 'first' });
    await ask('/limits', {
      id: `l-${index}`,
      limit: { user: name, group: name, client: name, connections: 99 },
    });
    clients.push(await namedClient(frames, name));
    wires.push(await namedGroup(urlOf(broker, 'kafka'), name));
  }
  const again = setInterval(() => {
    for (const [index, name] of NAMES.entries()) publishNamed(clients[index]!, name);
  }, 1_000);
  return {
    http,
    end() {
      clearInterval(again);
      for (const client of clients) client.drop();
      for (const wire of wires) wire.socket.destroy();
    },
  };
}

/** A client that is called so, subscribes to such topics, publishes, and is refused. */
async function namedClient(url: string, name: string): Promise<RawMqtt> {
  const properties = { sessionExpiryIntervalS: 3_600 };
  const login = { userName: name, password: Buffer.from('secret') };
  const client = await connectMqtt(url, 5, { clientId: name, ...login, properties });
  await client.subscribe(`nobody/${name}/#`);
  client.publish(`denied/${name}`, 'x');
  publishNamed(client, name);
  return client;
}

function publishNamed(client: RawMqtt, name: string): void {
  client.publish(`kept/${name}`, name, {
    retain: true,
    properties: { contentType: name, responseTopic: name, userProperties: [[name, name]] },
  });
}

/** A consumer group that is called so, and so is its member. */
async function namedGroup(url: string, name: string): Promise<KafkaWire> {
  const wire = await KafkaWire.open(url);
  const partitions = [{ partitionIndex: 0, committedOffset: 0, committedMetadata: name }];
  await wire.ask(offsetCommit, 7, {
    ...{ groupId: name, generationIdOrMemberEpoch: -1, memberId: '', groupInstanceId: null },
    topics: [{ name: 'all', partitions }],
  } as never);
  const protocols = [{ name: 'range', metadata: new Uint8Array(0) }];
  await wire.ask(
    joinGroup,
    3,
    {
      ...{ groupId: name, sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 60_000, memberId: '' },
      ...{ protocolType: 'consumer', protocols },
    } as never,
    name,
  );
  return wire;
}
