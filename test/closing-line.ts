import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** Failures that are told again at the end; whoever keeps only the end of a long run sees them. */
const TOLD_AGAIN = 20;
const FIRST_FRAME = /^\s+at .*/m;

/**
 * Ends a run with what failed, a line each, and one plain line, `N passed, N failed`, that people and scripts can find
 * without colours.
 */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    const failures = unhandledErrors.map((error) => `unhandled: ${told(error)}`);
    for (const module of modules) {
      const file = module.relativeModuleId;
      failures.push(...module.errors().map((error) => `${file}: ${told(error)}`));
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        count[state]++;
        if (state === 'failed') failures.push(`${file}: ${test.fullName}: ${told(errors[0])}`);
      }
    }
    for (const failure of failures.slice(0, TOLD_AGAIN)) console.log(failure);
    const failed = failures.length;
    if (failed > TOLD_AGAIN) console.log(`… and ${failed - TOLD_AGAIN} more`);
    console.log(`${count.passed} passed, ${failed} failed`);
  }
}

/** The first line of an error, and where it was made. */
function told({ message, stack = '' }: Pick<SerializedError, 'message' | 'stack'>): string {
  const [line = ''] = message.split('\n');
  const frame = FIRST_FRAME.exec(stack)?.[0].trim() ?? '';
  return frame === '' ? line : `${line} (${frame})`;
}
