import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { LIMIT_NAMES } from '../../internal/access/limits/limit.ts';
import { chromium } from '../interop/support/toolchains.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { getJson, startHttp } from '../support/http-door.ts';
import { openPage, PATIENCE_MS, rowOf, useBrowser } from './browser.ts';

const browser = chromium();

describe('users, rules and limits are changed in the page', () => {
  if ('missing' in browser) {
    it(browser.missing, ({ skip }) => skip());
    return;
  }
  useBrowser(browser.there);

  it('the first user closes the broker, which is said before, and then logs in', async () => {
    const { http, frames } = await startHttp();
    const pump = await connectMqtt(frames, 5, { clientId: 'pump' });
    const { page } = await openPage(http, 'access');
    await page.getByRole('button', { name: 'Add a user' }).click();
    const dialog = page.getByRole('dialog', { name: 'Add a user' });
    await dialog.getByLabel('Name').fill('ada');
    await dialog.getByLabel('Password').fill('right');
    expect(await dialog.getByLabel('May do everything').isChecked()).toBe(true);
    await dialog.getByRole('button', { name: 'Add' }).click();
    const effects = dialog.getByRole('alert');
    await effects.getByText('From then on clients have to show who they are').waitFor();
    await effects.getByText('pump').waitFor();
    expect(await getJson(`${http}/users`)).toEqual([]);
    await dialog.getByRole('button', { name: 'Add' }).click();
    await logIn(page);
    await rowOf(page, 'ada').getByText('password, SCRAM').waitFor();
    await pump.ended();
  });

  it('users: another password, groups, disabled, enabled, removed', async () => {
    const { page, http } = await openAsAda();
    await page.getByRole('button', { name: 'Add a user' }).click();
    const adding = page.getByRole('dialog', { name: 'Add a user' });
    await adding.getByLabel('Name').fill('ada');
    await adding.getByLabel('Groups').fill('cn=staff,dc=example\nfield');
    await adding.getByRole('button', { name: 'Add' }).click();
    await adding.getByRole('alert').getByText('there is a user').waitFor();
    await adding.getByLabel('Name').fill('ben');
    await adding.getByLabel('Password').fill('secret');
    await adding.getByRole('button', { name: 'Add' }).click();
    await rowOf(page, 'ben').getByText('cn=staff,dc=example, field').waitFor();
    expect(await meOf(http, 'ben', 'secret')).toBe(200);

    await page.getByRole('button', { name: 'Change ben' }).click();
    const changing = page.getByRole('dialog', { name: 'Change ben' });
    await changing.getByLabel('Groups').fill('staff');
    await changing.getByLabel('Password').fill('other');
    await changing.getByRole('button', { name: 'Show' }).click();
    expect(await changing.getByLabel('Password').inputValue()).toBe('other');
    await changing.getByRole('button', { name: 'Change', exact: true }).click();
    await rowOf(page, 'ben').getByRole('cell', { name: 'staff', exact: true }).waitFor();
    expect([await meOf(http, 'ben', 'secret'), await meOf(http, 'ben', 'other')]).toEqual([401, 200]);

    await page.getByRole('button', { name: 'Disable ben' }).click();
    await page.getByText('Nobody who is connected loses anything by this.').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
    await rowOf(page, 'ben').getByText('disabled').waitFor();
    await page.getByRole('button', { name: 'Enable ben' }).click();
    await rowOf(page, 'ben').getByText('enabled').waitFor();
    await page.getByRole('button', { name: 'Remove ben' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await expect.poll(() => rowOf(page, 'ben').count(), { timeout: PATIENCE_MS }).toBe(0);
  });

  it('whoever would lock everybody out is told before', async () => {
    const { page } = await openAsAda();
    for (const name of ['Disable ada', 'Remove ada']) {
      await page.getByRole('button', { name }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByText('Nobody could administer this broker over HTTP any more').waitFor();
      await dialog.getByRole('button', { name: 'Cancel' }).click();
      await dialog.waitFor({ state: 'hidden' });
    }
    await page.getByRole('button', { name: 'Change ada' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Groups').fill('');
    await dialog.getByRole('button', { name: 'Change', exact: true }).click();
    await dialog.getByText('Nobody could administer this broker').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('tab', { name: 'Rules' }).click();
    await page.getByRole('button', { name: 'Remove the rule admin' }).click();
    await dialog.getByText('Nobody could administer this broker').waitFor();
    // Whoever means it may do it, and is offered nothing that he may not do any more.
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('alert').first().waitFor();
    await expect
      .poll(() => page.getByRole('button', { name: /^(Add|Remove)/ }).count(), { timeout: PATIENCE_MS })
      .toBe(0);
  });

  it('rules: added in a place, tried before, moved, changed, removed', async () => {
    const { page, http, frames, ask } = await openAsAda('access?tab=rules');
    await ask('POST', '/users', { name: 'ben', newPassword: 'secret' });
    const ben = { userName: 'ben', password: Buffer.from('secret') };
    await ask('POST', '/rules', { rule: { id: 'reads', allow: 'subscribe', users: 'ben', topics: 'a/#' } });
    const pump = await connectMqtt(frames, 5, { clientId: 'pump', ...ben });
    await pump.subscribe('a/b');
    const order = () => page.getByRole('row').locator('td:nth-child(3)').allTextContents();
    const expectOrder = (...ids: string[]) => expect.poll(order, { timeout: PATIENCE_MS }).toEqual(ids);
    await expectOrder('admin', 'reads');

    await page.getByRole('button', { name: 'Add a rule' }).click();
    const adding = page.getByRole('dialog', { name: 'Add a rule' });
    await adding.getByLabel('It says').selectOption('deny');
    await adding.getByLabel('subscribe', { exact: true }).check();
    await adding.getByLabel('Users').fill('*');
    await adding.getByLabel('on topics').fill('a/b\nc/d');
    await adding.getByLabel('Place').selectOption('before reads');
    await adding.getByLabel('Id', { exact: true }).fill('no');
    await adding.getByLabel('May the user').fill('ben');
    await adding.getByLabel('do this').selectOption('subscribe');
    await adding.getByLabel('of this name').fill('a/b');
    await adding.getByRole('button', { name: 'Try it' }).click();
    await adding.getByText('deny subscribe on topics a/b, c/d for everybody').waitFor();
    expect(await adding.locator('.trial .badge').allTextContents()).toEqual(['Yes', 'No']);
    expect(await adding.getByLabel('It says').inputValue()).toBe('deny');
    await adding.getByRole('alert').getByText('pump').waitFor();
    expect(await getJson(`${http}/rules`, { headers: ADA })).toHaveLength(2);
    await adding.getByRole('button', { name: 'Add' }).click();
    await expectOrder('admin', 'no', 'reads');
    await pump.ended();

    // Nobody loses anything by this, so that it is done at once; the button keeps the focus.
    await page.getByRole('button', { name: 'Move the rule no down' }).click();
    await expectOrder('admin', 'reads', 'no');
    await expect
      .poll(() => page.evaluate('document.activeElement.id'), { timeout: PATIENCE_MS })
      .toBe('down-no');
    const again = await connectMqtt(frames, 5, { clientId: 'pump', ...ben });
    await again.subscribe('a/b');
    await page.getByRole('button', { name: 'Move the rule no up' }).click();
    const moving = page.getByRole('dialog', { name: 'Move the rule no?' });
    await moving.getByText('pump').waitFor();
    await moving.getByRole('button', { name: 'Move' }).click();
    await expectOrder('admin', 'no', 'reads');

    await page.getByRole('button', { name: 'Change the rule no' }).click();
    const changing = page.getByRole('dialog', { name: 'Change the rule no' });
    expect(await changing.getByLabel('on topics').inputValue()).toBe('a/b\nc/d');
    expect(await changing.getByLabel('subscribe', { exact: true }).isChecked()).toBe(true);
    await changing.getByLabel('on topics').fill('x');
    await changing.getByRole('button', { name: 'Change', exact: true }).click();
    await page.getByText('deny subscribe on topics x for everybody').waitFor();
    await page.getByRole('button', { name: 'Remove the rule no' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await expectOrder('admin', 'reads');
    again.drop();
  });

  it('a rule that is not well formed is refused with what is wrong, and stays in the window', async () => {
    const { page } = await openAsAda('access?tab=rules');
    await page.getByRole('button', { name: 'Add a rule' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Users').fill('ben');
    await dialog.getByLabel('on topics').fill('a/#/b');
    await dialog.getByRole('button', { name: 'Add' }).click();
    await dialog.getByRole('alert').getByText('a/#/b').waitFor();
    expect(await dialog.getByLabel('on topics').inputValue()).toBe('a/#/b');
  });

  it('limits: added, changed, removed', async () => {
    const { page } = await openAsAda('access?tab=limits');
    await page.getByRole('button', { name: 'Add a limit' }).click();
    const adding = page.getByRole('dialog', { name: 'Add a limit' });
    const bounds = await page.locator('dialog input[type=number]').evaluateAll((all) =>
      // It runs in the page.
      all.map((each) => each.getAttribute('name')),
    );
    expect(bounds.sort()).toEqual([...LIMIT_NAMES].sort());
    await adding.getByRole('button', { name: 'Add' }).click();
    await adding.getByRole('alert').getByText('it bounds nothing').waitFor();
    await adding.getByLabel('Group').fill('devices');
    await adding.getByLabel('Id', { exact: true }).fill('calm');
    await adding.getByLabel('Connections', { exact: true }).fill('100');
    await adding.getByLabel('Messages in per second').fill('20');
    await adding.getByRole('button', { name: 'Add' }).click();
    await rowOf(page, 'calm').getByText('for group devices').waitFor();
    await page.getByRole('button', { name: 'Change the limit calm' }).click();
    const changing = page.getByRole('dialog', { name: 'Change the limit calm' });
    expect(await changing.getByLabel('Connections', { exact: true }).inputValue()).toBe('100');
    await changing.getByLabel('Connections', { exact: true }).fill('7');
    await changing.getByLabel('Messages in per second').fill('');
    await changing.getByRole('button', { name: 'Change', exact: true }).click();
    await rowOf(page, 'calm').getByText('connections 7 for group devices').waitFor();
    await page.getByRole('button', { name: 'Remove the limit calm' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await page.getByText('Nobody is limited.').waitFor();
  });
});

const ADA = { authorization: `Basic ${Buffer.from('ada:right').toString('base64')}` };

/** A broker whose only user is ada, who may do everything, and its page, at which she has logged in. */
async function openAsAda(place = 'access') {
  const started = await startHttp();
  const { http } = started;
  const ask = (method: string, path: string, body: object) =>
    fetch(`${http}${path}`, {
      method,
      headers: { ...ADA, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ name: 'ada', newPassword: 'right', admin: true });
  expect((await fetch(`${http}/users`, { method: 'POST', headers, body })).status).toBe(200);
  const { page } = await openPage(http, place);
  await logIn(page);
  await page.getByRole('tabpanel').waitFor();
  return { ...started, page, ask };
}

async function logIn(page: Page): Promise<void> {
  await page.getByRole('heading', { name: 'Log in to tinymq' }).waitFor();
  await page.getByLabel('User').fill('ada');
  await page.getByLabel('Password').fill('right');
  await page.keyboard.press('Enter');
}

async function meOf(http: string, user: string, password: string): Promise<number> {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  return (await fetch(`${http}/me`, { headers: { authorization } })).status;
}
