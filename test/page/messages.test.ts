import { describe, expect, it } from 'vitest';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { chromium } from '../interop/support/toolchains.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { eventually } from '../support/eventually.ts';
import { post, startHttp } from '../support/http-door.ts';
import { openPage, PATIENCE_MS, useBrowser } from './browser.ts';

const browser = chromium();

describe('messages on the page', () => {
  if ('missing' in browser) {
    it(browser.missing, ({ skip }) => skip());
    return;
  }
  useBrowser(browser.there);

  it('shows in the tree what a client published, and all that is known of it', async () => {
    const { http, frames } = await startHttp();
    const { page } = await openPage(http, 'topics');
    const client = await connectMqtt(frames, 5, { clientId: 'pump-7' });
    client.publish('sensors/hall/temp', '{"celsius":22.5}', {
      retain: true,
      properties: {
        contentType: 'application/json',
        userProperties: [
          ['plant', 'Ulm'],
          ['plant', 'Bonn'],
        ],
      },
    });
    const tree = page.getByRole('tree', { name: 'Topics' });
    await tree.getByRole('treeitem', { name: 'sensors' }).waitFor();
    await tree.focus();
    await page.keyboard.press('ArrowRight');
    await tree.getByRole('treeitem', { name: 'hall' }).waitFor();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    const leaf = tree.getByRole('treeitem', { name: 'temp' });
    await leaf.waitFor();
    expect(await leaf.textContent()).toContain('{"celsius":22.5}');
    await leaf.click();
    const payload = page.getByRole('region', { name: 'Payload' });
    await expect.poll(() => payload.textContent(), { timeout: PATIENCE_MS }).toBe('{\n  "celsius": 22.5\n}');
    await page.getByRole('button', { name: 'Bytes' }).click();
    expect(await payload.textContent()).toBe(
      '00000000  7b 22 63 65 6c 73 69 75 73 22 3a 32 32 2e 35 7d  |{"celsius":22.5}|',
    );
    const facts = await page.locator('.message').textContent();
    for (const fact of ['pump-7', 'application/json', 'Ulm', 'Bonn']) expect(facts).toContain(fact);
    client.drop();
  });

  it('publishes with retain, quality of service, content type and user properties', async () => {
    const { http, frames } = await startHttp();
    const client = await connectMqtt(frames, 5);
    await client.subscribe('rooms/#', 1);
    const { page } = await openPage(http, 'topics');
    await page.getByRole('button', { name: 'Publish' }).click();
    const dialog = page.getByRole('dialog', { name: 'Publish a message' });
    await dialog.getByLabel('Topic').fill('rooms/1');
    await dialog.getByLabel('Payload').fill('on, ü');
    await dialog.getByLabel('Quality of service').selectOption('1');
    await dialog.getByLabel('Content type').fill('text/x-state');
    await dialog.getByRole('button', { name: 'Add a property' }).click();
    await dialog.getByLabel('Name of property 1').fill('list');
    await dialog.getByLabel('Value of property 1').fill('1, 2=3');
    await dialog.getByLabel(/Retain/).check();
    await dialog.getByLabel('Payload').press('Control+Enter');
    const message = await client.next(PacketType.publish);
    expect(message).toMatchObject({
      topic: 'rooms/1',
      qos: 1,
      properties: { contentType: 'text/x-state', userProperties: [['list', '1, 2=3']] },
    });
    expect(Buffer.from(message.payload).toString()).toBe('on, ü');
    await page.getByRole('status', { name: 'Published' }).getByText('Published to rooms/1.').waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    expect(await (await fetch(`${http}/topics/rooms/1`)).text()).toBe('on, ü');
    client.drop();
  });

  it('says why a message cannot be published', async () => {
    const { http } = await startHttp();
    const { page } = await openPage(http, 'topics?topic=%24SYS%2Fmine&tab=publish');
    await page.getByRole('tabpanel').getByRole('button', { name: 'Publish', exact: true }).click();
    const refusal = page.getByRole('alert');
    await refusal.waitFor();
    expect(await refusal.textContent()).toContain('Choose another topic.');
  });

  it('reads a log from an offset and from a time', async () => {
    const { http } = await startHttp({ keep: [{ filter: 'logs/#' }] });
    for (let n = 0; n < 60; n++) await post(http, 'logs/a?qos=1', `line ${n}`);
    const { page } = await openPage(http, 'topics?topic=logs%2Fa&tab=log');
    const list = page.getByRole('group', { name: 'Messages of the log' });
    await list.getByRole('button', { name: 'line 0', exact: false }).first().waitFor();
    await page.getByRole('button', { name: 'Later' }).click();
    await list.getByRole('button', { name: 'line 59' }).waitFor();
    await page.getByLabel('Read from').selectOption('offset');
    await page.getByLabel('Offset').fill('42');
    await page.getByRole('button', { name: 'Read', exact: true }).click();
    await page.getByText('Offsets 42 to 59').waitFor();
    await list.getByRole('button', { name: 'line 42' }).click();
    expect(await page.locator('.message').textContent()).toContain('Offset42');
    await page.getByLabel('Read from').selectOption('time');
    await page.getByLabel('Time').fill('2100-01-01T00:00');
    await page.getByRole('button', { name: 'Read', exact: true }).click();
    await page.getByText('There is nothing from there on.').waitFor();
  });

  it('follows a filter, pauses, and goes on without what was missed being lost', async () => {
    const { http } = await startHttp();
    const { page } = await openPage(http, 'topics?topic=live%2F%23&tab=follow');
    await page.getByText('Live', { exact: true }).waitFor();
    await post(http, 'live/1', 'first');
    const list = page.getByRole('group', { name: 'Messages, newest first' });
    await list.getByText('first').waitFor();
    await page.keyboard.press('p');
    await page.getByText('Paused').waitFor();
    await post(http, 'live/1', 'second');
    await page.getByText('Paused, 1 new').waitFor();
    expect(await list.getByText('second').count()).toBe(0);
    await page.keyboard.press('p');
    await list.getByText('second').waitFor();
  });

  it('stays responsive at a thousand messages a second', { timeout: 240_000 }, async () => {
    const { http, frames } = await startHttp();
    const { page } = await openPage(http, 'topics?topic=busy%2F%23&tab=follow');
    await page.getByText('Live', { exact: true }).waitFor();
    const client = await connectMqtt(frames, 4);
    const publisher = setInterval(() => {
      for (let n = 0; n < 50; n++) client.publish(`busy/${n % 7}`, `{"n":${n},"text":"${'x'.repeat(80)}"}`);
    }, 50);
    try {
      await eventually(async () => (await perSecond(page)) > 300, 'many messages a second');
      // Frames that the page draws in three seconds; a page that is frozen draws none.
      const drawn = await page.evaluate<number>(COUNT_FRAMES);
      expect(drawn).toBeGreaterThan(15);
      expect(await page.locator('.message-row').count()).toBeLessThan(60);
      await page.getByRole('button', { name: 'Pause' }).click({ timeout: 10_000 });
      await page.getByText('Paused').waitFor();
    } finally {
      clearInterval(publisher);
    }
    client.drop();
  });

  it('draws only what is in sight of a hundred thousand topics', { timeout: 240_000 }, async () => {
    const { http, frames } = await startHttp();
    const client = await connectMqtt(frames, 4);
    for (let n = 0; n < 100_000; n++)
      client.publish(`many/${String(n).padStart(6, '0')}/value`, '1', { retain: true });
    client.send({ type: PacketType.pingreq });
    await client.next(PacketType.pingresp);
    const { page } = await openPage(http, 'topics');
    const tree = page.getByRole('tree', { name: 'Topics' });
    await tree.getByRole('treeitem', { name: 'many' }).waitFor();
    await tree.focus();
    await page.keyboard.press('ArrowRight');
    await tree.getByRole('treeitem', { name: '000000' }).waitFor();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowUp');
    await tree.getByRole('treeitem', { name: 'Show more topics' }).waitFor();
    await page.keyboard.press('Enter');
    await tree
      .getByRole('treeitem', { name: /^0002\d\d/ })
      .first()
      .waitFor();
    expect(await tree.getByRole('treeitem').count()).toBeLessThan(80);
    client.drop();
  });
});

const COUNT_FRAMES = `new Promise((resolve) => {
  let frames = 0;
  const until = performance.now() + 3000;
  const frame = () => {
    frames++;
    if (performance.now() > until) resolve(frames);
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})`;

async function perSecond(page: import('playwright-core').Page): Promise<number> {
  const text = await page.locator('.follow-head').textContent();
  return Number(/([\d,]+) per second/.exec(text ?? '')?.[1]?.replaceAll(',', '') ?? 0);
}
