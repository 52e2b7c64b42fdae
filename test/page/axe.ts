import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults, RunOptions } from 'axe-core';
import type { Page } from 'playwright-core';

/*
 * The page against WCAG 2.2, levels A and AA, as far as axe-core can tell: names and roles, contrast, order of headings,
 * size of targets, what a keyboard reaches.
 */

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES: RunOptions = {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
};

/** What axe-core finds wrong in what is shown: a line for each element. */
export async function faultsOf(page: Page): Promise<string[]> {
  const devTools = await page.context().newCDPSession(page);
  // The page's security policy forbids scripts of others: axe-core comes by the tools of the developer, not by the page.
  const run = async (expression: string) => {
    const answer = await devTools.send('Runtime.evaluate', {
      ...{ expression, awaitPromise: true, returnByValue: true },
      allowUnsafeEvalBlockedByCSP: true,
    });
    if (answer.exceptionDetails !== undefined) throw new Error(JSON.stringify(answer.exceptionDetails));
    return answer.result.value as unknown;
  };
  await run(`${AXE}; undefined`);
  const { violations } = (await run(`axe.run(document, ${JSON.stringify(RULES)})`)) as AxeResults;
  await devTools.detach();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
}
