import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { chromium } from '../interop/support/toolchains.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { post, startHttp } from '../support/http-door.ts';
import { openPage, useBrowser } from './browser.ts';

const browser = chromium();
const MARKUP = '"><img src=x onerror=alert(1)><script>alert(2)</script>&lt;b&gt;';
const PLACES = [
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

  it.each([
    ['light', { colorScheme: 'light' }],
    ['dark', { colorScheme: 'dark' }],
    ['on a small screen', { viewport: { width: 360, height: 740 } }],
  ] as const)(
    'each view, %s: names for all controls, enough contrast, no scrolling aside',
    async (_, options) => {
      const { http, client } = await startBusy();
      const { page } = await openPage(http, 'overview', options);
      for (const place of PLACES) {
        await page.goto(`${http}/#/${place}`);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await page.getByText('Loading …').first().waitFor({ state: 'hidden' });
        expect(await page.evaluate(FIND_FAULTS), place).toEqual([]);
      }
      client.drop();
    },
  );

  it('has a switch for its colours, which is remembered', async () => {
    const { http } = await startHttp();
    const { page } = await openPage(http, 'overview', { colorScheme: 'light' });
    const ground = () => page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    const light = await ground();
    for (const name of ['Colours: auto. Change', 'Colours: light. Change']) {
      await page.getByRole('button', { name }).click();
    }
    const dark = await ground();
    expect(dark).not.toBe(light);
    await page.reload();
    await page.getByRole('button', { name: 'Colours: dark. Change' }).waitFor();
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
    await page.getByRole('treeitem', { name: /^a,?/ }).first().waitFor();
    await tabTo(page, `document.activeElement.getAttribute('role') === 'tree'`);
    await page.keyboard.press('ArrowRight');
    await page.getByRole('treeitem', { name: /^b,/ }).waitFor();
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

/** Presses Tab until something has the focus. */
async function tabTo(page: Page, isThere: string): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    if (await page.evaluate(isThere)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not lead to ${isThere}`);
}

/** What a person who cannot see well, or has a small screen, would stumble over; runs in the page. */
const FIND_FAULTS = `(() => {
  const faults = [];
  if (document.documentElement.scrollWidth > innerWidth) faults.push('scrolls aside: ' + document.documentElement.scrollWidth);
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true });
  const labelOf = (element) => {
    const by = element.getAttribute('aria-labelledby');
    if (by) return by.split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join(' ');
    const label = element.labels?.[0]?.textContent;
    return element.getAttribute('aria-label') ?? label ?? (element.matches('input, select, textarea') ? '' : element.textContent);
  };
  const named = 'a, button, input, select, textarea, dialog, nav, table, [role=tree], [role=treeitem], [role=tab], [role=tabpanel], [role=img], [role=group]';
  for (const element of document.querySelectorAll(named)) {
    if (!isShown(element)) continue;
    const label = element.matches('table') ? element.caption?.textContent : labelOf(element);
    if (!label?.trim()) faults.push('no name: ' + element.outerHTML.slice(0, 120));
  }
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of new Set(ids)) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push('id twice: ' + id);
  for (const element of document.querySelectorAll('[aria-controls], [aria-activedescendant], [for]')) {
    for (const name of ['aria-controls', 'aria-activedescendant', 'for']) {
      const id = element.getAttribute(name);
      if (id && !document.getElementById(id)) faults.push(name + ' leads nowhere: ' + id);
    }
  }
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  if (document.querySelectorAll('main').length !== 1) faults.push('not one main');
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const colourOf = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return { rgb: [r, g, b], isSolid: a === 255 };
  };
  const groundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = colourOf(getComputedStyle(at).backgroundColor);
      if (colour.isSolid) return colour.rgb;
    }
    return [255, 255, 255];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !isShown(element) || element.closest('.unseen, [disabled], noscript, title')) continue;
    const [one, other] = [light(colourOf(getComputedStyle(element).color).rgb), light(groundOf(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) faults.push('contrast ' + contrast.toFixed(2) + ': ' + texts.currentNode.textContent.slice(0, 40));
  }
  return [...new Set(faults)].slice(0, 20);
})()`;
