import { type Browser, type BrowserContextOptions, chromium as driver, type Page } from 'playwright-core';
import { afterAll, expect, onTestFinished } from 'vitest';
import { pathOfProgram } from './program.ts';

/** A browser of the machine may take long while others work on it. */
export const PATIENCE_MS = 30_000;

let browser: Promise<Browser> | undefined;
let program = '';

/** The browser of a file of tests, by its name; it starts with the first page. */
export function useBrowser(name: string): void {
  program = pathOfProgram(name);
  afterAll(async () => (await browser)?.close());
}

/** A page of the broker, with what went wrong in it. */
export interface OpenPage {
  page: Page;
  /** Errors, violations of the security policy, dialogs, and requests to others. */
  problems: string[];
}

/**
 * Opens the page of a broker at a place, as `topics?topic=a`. The test fails where anything goes wrong in the page that the
 * person who looks at it would not see.
 *
 * @param whenLoaded what runs in the page when its script has run, and nothing is drawn yet.
 */
export async function openPage(
  http: string,
  place = '',
  options: BrowserContextOptions = {},
  whenLoaded = '',
): Promise<OpenPage> {
  browser ??= driver.launch({ executablePath: program, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  const context = await (await browser).newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const problems = watch(page, new URL(http).origin);
  onTestFinished(async () => {
    await context.close();
    expect(problems).toEqual([]);
  });
  if (whenLoaded !== '')
    await page.addInitScript(`addEventListener('DOMContentLoaded', () => { ${whenLoaded} })`);
  await page.goto(`${http}/#/${place}`);
  return { page, problems };
}

function watch(page: Page, origin: string): string[] {
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    // A refusal is shown by the page, and the browser notes it as well.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      problems.push(`console: ${message.text()}`);
    }
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) problems.push(`request: ${request.url()}`);
  });
  return problems;
}

/** The row of a table or a tree that has a text. */
export function rowOf(page: Page, text: string) {
  return page.getByRole('row').filter({ hasText: text });
}
