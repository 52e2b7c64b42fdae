import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makePassword } from '../../internal/access/users/passwords.ts';
import { chromium } from '../interop/support/toolchains.ts';
import { startHttp } from '../support/http-door.ts';
import { faultsOf } from './axe.ts';
import { openPage, rowOf, useBrowser } from './browser.ts';

const browser = chromium();
const MARKUP = '<img src=x onerror=alert(1)>';
const RULES = [
  {
    ...{ allow: 'all', groups: 'admins', broker: true },
    ...{ topics: ['#', '$SYS/#'], consumerGroups: '*', transactionalIds: '*', sessions: '*' },
  },
  { allow: ['publish', 'subscribe'], users: 'guest', topics: 'guests/#' },
  { allow: ['describe'], users: 'guest', broker: true },
];

async function startProtected(rules: readonly object[] = RULES) {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-page-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const usersFile = join(folder, 'users.json');
  const { password } = await makePassword('right');
  const users = {
    ada: { password, groups: ['admins'] },
    guest: { password },
    [MARKUP]: { password, groups: [MARKUP] },
  };
  writeFileSync(usersFile, JSON.stringify({ users, rules }));
  return startHttp({ usersFile });
}

describe('a broker with users', () => {
  if ('missing' in browser) {
    it(browser.missing, ({ skip }) => skip());
    return;
  }
  useBrowser(browser.there);

  it('asks who is there, refuses a wrong password, and lets in and out', async () => {
    const { http } = await startProtected();
    const { page } = await openPage(http);
    await page.getByRole('heading', { name: 'Log in to tinymq' }).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await page.getByLabel('User').fill('ada');
    await page.getByLabel('Password').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    await page.getByLabel('Password').fill('right');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    // No script gets at the cookie.
    expect(await page.evaluate('document.cookie')).toBe('');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('heading', { name: 'Log in to tinymq' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Log in to tinymq' }).waitFor();
  });

  // A browser sends the cookies of a host to all of its ports, so that a second login ended the first one.
  it('keeps a login beside that of another broker on the same host', async () => {
    const { page } = await openPage((await startProtected()).http);
    await logIn(page, 'ada');
    const { http: other } = await startProtected();
    const beside = await page.context().newPage();
    await beside.goto(`${other}/#/overview`);
    await logIn(beside, 'guest');
    await page.reload();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('heading', { name: 'Log in to tinymq' }).waitFor();
    await beside.reload();
    await beside.getByRole('heading', { name: 'Overview' }).waitFor();
    await beside.getByText('guest', { exact: true }).waitFor();
  });

  it('lets somebody in who shows nothing, where the rules do, and still asks who wants more', async () => {
    const anybody = { allow: ['connect', 'describe'], users: 'anonymous', broker: true };
    const { http } = await startProtected([anybody, ...RULES]);
    const { page } = await openPage(http);
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByLabel('User').fill('ada');
    await page.getByLabel('Password').fill('right');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Log out' }).waitFor();
    expect(await page.getByRole('button', { name: 'Log in' }).count()).toBe(0);
  });

  it('offers nobody what he may not do, and says which rule it is', async () => {
    const { http } = await startProtected();
    const { page } = await openPage(http, 'clients');
    await page.getByLabel('User').fill('guest');
    await page.getByLabel('Password').fill('right');
    await page.keyboard.press('Enter');
    await page.getByRole('row').nth(1).getByRole('link').click();
    await page.getByRole('heading', { name: 'Who it is' }).waitFor();
    expect(await page.getByRole('button', { name: 'Disconnect' }).count()).toBe(0);
    await page.getByRole('link', { name: 'Access' }).click();
    await page.getByRole('alert').waitFor();
    await page.goto(`${http}/#/topics?topic=secret&tab=publish`);
    await page.getByRole('tabpanel').getByRole('button', { name: 'Publish', exact: true }).click();
    await page.getByRole('tabpanel').getByRole('alert').waitFor();
    await page.goto(`${http}/#/topics?topic=guests%2F1&tab=publish`);
    await page.getByRole('tabpanel').getByRole('button', { name: 'Publish', exact: true }).click();
    await page.getByText('Published to guests/1.').waitFor();
  });

  it('shows users, rules and what they allow; names full of markup are names', async () => {
    const { http } = await startProtected();
    const { page } = await openPage(http, 'access');
    await page.getByLabel('User').fill('ada');
    await page.getByLabel('Password').fill('right');
    await page.keyboard.press('Enter');
    await rowOf(page, MARKUP).waitFor();
    expect(await page.locator('main img').count()).toBe(0);
    await page.getByRole('tab', { name: 'Users' }).press('ArrowRight');
    await rowOf(page, 'guests/#').waitFor();
    await page.getByRole('tab', { name: 'Rules' }).press('ArrowRight');
    await page.getByLabel('May the user').fill('guest');
    await page.getByLabel('of this name').fill('guests/1');
    await page.getByRole('button', { name: 'Ask the rules' }).click();
    await page.getByText('Yes', { exact: true }).waitFor();
    await page.getByLabel('of this name').fill('secret');
    await page.getByRole('button', { name: 'Ask the rules' }).click();
    await page.getByText('No', { exact: true }).waitFor();
  });
});

async function logIn(page: Page, user: string): Promise<void> {
  await page.getByLabel('User').fill(user);
  await page.getByLabel('Password').fill('right');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
}
