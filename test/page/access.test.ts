import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { chromium } from '../interop/support/toolchains.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { post, startHttp } from '../support/http-door.ts';
import { faultsOf } from './axe.ts';
import { openPage, useBrowser } from './browser.ts';
import { startTwoNodes } from './two-nodes.ts';

const browser = chromium();
const MARKUP = '"><img src=x onerror=alert(1)><script>alert(2)</script>&lt;b&gt;';
const PLACES = [
  'nodes',
  'overview',
  'topics',
  'topics?topic=a%2Fb',
  'topics?topic=%23&tab=follow',
  'topics?topic=a%2Fb&tab=log',
  'topics?topic=a%2Fb&tab=publish',
  'clients',
  'clients/pump',
  'sessions',
  'retained',
  'groups',
  'why',
  'why?tab=trace',
  'access',
  'access?tab=rules',
  'access?tab=test',
  'access?tab=limits',
];

const SCREENS = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['on a small screen', { viewport: { width: 360, height: 740 } }],
] as const;

async function startBusy() {
  const started = await startHttp({ keep: [{ filter: 'a/#' }] });
  const client = await connectMqtt(started.frames, 5, { clientId: 'pump' });
  await client.subscribe(`${'a-very-long-name-without-an-end'.repeat(8)}/#`);
  await post(started.http, 'a/b?retain&qos=1', '{"a":1}');
  await post(started.http, `${'long'.repeat(60)}?retain`, 'x'.repeat(3_000));
  return { ...started, client };
}

describe('everybody can use the page', () => {
  if ('missing' in browser) {
    it(browser.missing, ({ skip }) => skip());
    return;
  }
  useBrowser(browser.there);

  it.each(SCREENS)('each view, %s: nothing against WCAG 2.2, no scrolling aside', async (_, options) => {
    const { http, client } = await startBusy();
    const { page } = await openPage(http, 'overview', { ...options, reducedMotion: 'reduce' });
    for (const place of PLACES) {
      await page.goto(`${http}/#/${place}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.getByText('Loading …').first().waitFor({ state: 'hidden' });
      await expectUsable(page, place);
    }
    client.drop();
  });

  it('the views of a cluster, on each screen', async () => {
    const { http } = await startTwoNodes();
    for (const [screen, options] of SCREENS) {
      const { page } = await openPage(http, 'overview', { ...options, reducedMotion: 'reduce' });
      for (const [place, shown] of [
        ['nodes', 'this one'],
        ['topics?topic=orders&tab=log', 'node 1'],
      ] as const) {
        await page.goto(`${http}/#/${place}`);
        await page.getByRole('table').getByText(shown).first().waitFor();
        await expectUsable(page, `${place}, ${screen}`);
      }
    }
  });

  it('each window that asks', async () => {
    const { http, client } = await startBusy();
    const { page } = await openPage(http, '', { reducedMotion: 'reduce' });
    for (const [place, button] of [
      ['access', 'Add a user'],
      ['access?tab=rules', 'Add a rule'],
      ['access?tab=limits', 'Add a limit'],
      ['clients/pump', 'Disconnect'],
      ['retained', 'Clear a/b'],
    ] as const) {
      await page.goto(`${http}/#/${place}`);
      await page.getByRole('button', { name: button, exact: true }).click();
      await page.locator('dialog').waitFor();
      expect(await faultsOf(page), button).toEqual([]);
      await page.keyboard.press('Escape');
      await page.locator('dialog').waitFor({ state: 'hidden' });
    }
    client.drop();
  });

  it('has a switch for its colours, which is remembered', async () => {
    const { http } = await startHttp();
    const { page } = await openPage(http, 'overview', { colorScheme: 'light' });
    const ground = () => page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    const light = await ground();
    for (const name of ['Colours: As the system', 'Colours: Light']) {
      await page.getByRole('button', { name }).click();
    }
    const dark = await ground();
    expect(dark).not.toBe(light);
    await page.reload();
    await page.getByRole('button', { name: 'Colours: Dark' }).waitFor();
    expect(await ground()).toBe(dark);
  });

  it('is used by the keyboard alone', async () => {
    const { http, client } = await startBusy();
    const { page } = await openPage(http);
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.keyboard.press('g');
    await page.keyboard.press('t');
    await page.getByRole('heading', { name: 'Topics' }).waitFor();
    await page.getByRole('treeitem', { name: /^a/ }).first().waitFor();
    await tabTo(page, `document.activeElement.getAttribute('role') === 'tree'`);
    await page.keyboard.press('ArrowRight');
    await page.getByRole('treeitem', { name: /^b ?,/ }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('region', { name: 'Payload' }).waitFor();
    await tabTo(page, `document.activeElement.getAttribute('role') === 'tab'`);
    for (let n = 0; n < 3; n++) await page.keyboard.press('ArrowRight');
    await tabTo(page, `document.activeElement.name === 'payload'`);
    await page.keyboard.type('by keys');
    await page.keyboard.press('Control+Enter');
    await page.getByText('Published to a/b.').waitFor();
    client.drop();
  });

  it('takes names full of markup for names', async () => {
    const { http, frames } = await startHttp({ keep: [{ filter: 'kept/#' }] });
    const client = await connectMqtt(frames, 5, { clientId: MARKUP });
    await client.subscribe(`${MARKUP}/#`);
    client.publish(`kept/${MARKUP}`, MARKUP, {
      retain: true,
      properties: { contentType: MARKUP, userProperties: [[MARKUP, MARKUP]] },
    });
    const topic = encodeURIComponent(`kept/${MARKUP}`);
    const { page } = await openPage(http, 'topics');
    for (const place of [
      'topics',
      `topics?topic=${topic}`,
      `topics?topic=${topic}&tab=log`,
      `topics?topic=${topic}&tab=follow`,
      'clients',
      `clients/${encodeURIComponent(MARKUP)}`,
      'sessions',
      'retained',
    ]) {
      await page.goto(`${http}/#/${place}`);
      await page
        .getByText(place === 'topics' ? 'kept' : MARKUP)
        .first()
        .waitFor();
      // What is drawn has no element that a name could have made.
      expect(await page.locator('main img, main script, main b').count(), place).toBe(0);
    }
    client.drop();
  });
});

async function expectUsable(page: Page, what: string): Promise<void> {
  expect(await faultsOf(page), what).toEqual([]);
  expect(await page.evaluate('document.documentElement.scrollWidth > innerWidth'), what).toBe(false);
}

/** Presses Tab until something has the focus. */
async function tabTo(page: Page, isThere: string): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    if (await page.evaluate(isThere)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not lead to ${isThere}`);
}
