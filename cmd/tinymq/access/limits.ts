import { LIMIT_NAMES } from '../../../internal/access/limits/limit.ts';
import { addLimit, listLimits, removeLimit, testLimits } from '../../../internal/admin/operations/limits.ts';
import { quoted } from '../../../internal/errors.ts';
import { suggestion } from '../../../internal/lib/nearest.ts';
import { UsageError } from '../../cli/options/program.ts';
import { command } from '../../cli/run-program.ts';
import { withAdmin } from '../reach/reach.ts';
import { limitsAddProgram, limitsListProgram, limitsRemoveProgram, limitsTestProgram } from './flags.ts';
import { print, printTable, report, split } from './output.ts';

export const add = command(limitsAddProgram, async (invocation) => {
  const { values, operands } = invocation;
  const { user, group, client, id } = values;
  const limit = { user, group, client, ...bounds(operands) };
  const added = await withAdmin(invocation, (admin) => admin.call(addLimit, { id, limit }));
  report(values, added, `Added limit ${added.id}: ${added.text}`);
});

export const remove = command(limitsRemoveProgram, async (invocation) => {
  const id = invocation.operands[0]!;
  await withAdmin(invocation, (admin) => admin.call(removeLimit, { id }));
  report(invocation.values, { removed: id }, `Removed limit ${quoted(id)}.`);
});

export const list = command(limitsListProgram, async (invocation) => {
  const limits = await withAdmin(invocation, (admin) => admin.call(listLimits, {}));
  if (invocation.values.json) {
    print(limits);
    return;
  }
  printTable(
    ['ID', 'FROM', 'LIMIT'],
    limits.map(({ id, origin, text }) => [id, origin, text]),
  );
});

export const test = command(limitsTestProgram, async (invocation) => {
  const { values, operands } = invocation;
  const user = operands[0]!;
  const question = {
    ...(user === 'anonymous' ? {} : { user }),
    ...{ groups: split(values.groups), clientId: values.id },
  };
  const answer = await withAdmin(invocation, (admin) => admin.call(testLimits, question));
  if (values.json) {
    print({ ...question, ...answer });
    return;
  }
  if (user !== 'anonymous' && !answer.isKnownUser)
    process.stderr.write(`there is no user ${quoted(user)}; a token or a certificate may name one\n`);
  printTable(
    ['WHAT', 'AT MOST', 'BY LIMIT'],
    answer.holds.map(({ name, value, limit }) => [name, String(value), limit]),
  );
});

/** The words `NAME=VALUE` of a command line. @throws UsageError */
function bounds(words: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const word of words) {
    const [, name, digits] = /^([^=]*)=(\d+)$/.exec(word) ?? [];
    if (name === undefined || digits === undefined)
      throw new UsageError(`${quoted(word)} is not NAME=VALUE, as connections=10`);
    if (!LIMIT_NAMES.some((known) => known === name)) {
      const known = LIMIT_NAMES.join(', ');
      throw new UsageError(
        `there is no limit of ${quoted(name)}${suggestion(name, LIMIT_NAMES)}; there are ${known}`,
      );
    }
    if (name in found) throw new UsageError(`${name} is said twice`);
    found[name] = Number(digits);
  }
  return found;
}
