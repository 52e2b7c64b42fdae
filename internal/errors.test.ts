import { describe, expect, it } from 'vitest';
import { BrokerError, ERRORS, type ErrorCode, quoted } from './errors.ts';

describe('errors', () => {
  it('are described in docs/errors.md, which is written from the table (npx vitest -u writes it anew)', async () => {
    await expect(errorsPage()).toMatchFileSnapshot('../docs/errors.md');
  });

  it('tell the code and what was wrong', () => {
    const error = new BrokerError('invalid-topic', "topic 'a/+': + and # belong in filters, not in a topic");
    expect(error.message).toBe("invalid-topic: topic 'a/+': + and # belong in filters, not in a topic");
    expect(error.kind).toBe('invalid');
    expect(new BrokerError('server-shutdown').message).toBe(
      `server-shutdown: ${ERRORS['server-shutdown'].rule}`,
    );
  });

  it('quote what a client sent without its control characters and not at any length', () => {
    expect(quoted('a\u001b[31m\n')).toBe("'a\\x1b[31m\\x0a'");
    expect(quoted('x'.repeat(100))).toBe(`'${'x'.repeat(80)}…'`);
  });
});

function errorsPage(): string {
  const rows = (Object.keys(ERRORS) as ErrorCode[]).sort().map((code) => {
    const { kind, rule, remedy } = ERRORS[code];
    return `| \`${code}\` | ${kind} | ${rule} | ${remedy} |`;
  });
  return `# Errors

Every refusal, drop and disconnect of the broker has one of these codes: in what the client is told
(\`code: what was wrong\`), in the log, and in the metrics. A code never changes its meaning.

| code | kind | rule | what to do |
|---|---|---|---|
${rows.join('\n')}
`;
}
