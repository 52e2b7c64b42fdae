import { useState } from 'preact/hooks';
import { ask } from '../api/api.ts';
import type { Rule } from '../api/types.ts';
import { useQuery } from '../api/use-query.ts';
import { useMayAdmin } from '../lib/me.ts';
import { Answer, Command, Empty } from '../parts/basics.tsx';
import { Confirm } from '../parts/dialog.tsx';
import { type Column, Table } from '../parts/table.tsx';

/** The rules in the order in which they are asked; the first that fits decides. */
export function Rules() {
  const query = useQuery<readonly Rule[]>('rules');
  const [removing, setRemoving] = useState<Rule>();
  const columns = useMayAdmin() ? [...COLUMNS, removal(setRemoving)] : COLUMNS;
  return (
    <Answer query={query}>
      {(rules) =>
        rules.length === 0 ? (
          <Empty title="There are no rules.">
            <p>
              Without rules and users everybody on this machine may do everything; with users and no rules,
              nobody.
            </p>
            <p>
              <Command>tinymq acl add allow sub --user ada --topic 'sensors/#'</Command>
            </p>
          </Empty>
        ) : (
          <>
            <p class="lead">The first rule that fits decides. Where none fits, the answer is no.</p>
            <Table caption="Rules in their order" columns={columns} rows={rules} keyOf={({ id }) => id} />
            {removing && (
              <Confirm
                title={`Remove the rule ${removing.id}?`}
                verb="Remove"
                done={`The rule ${removing.id} is removed.`}
                act={async () => {
                  await ask(`rules/${encodeURIComponent(removing.id)}`, { method: 'DELETE' });
                  query.reload();
                }}
                onClose={() => setRemoving(undefined)}
              >
                <p class="name">{removing.text}</p>
                <p>It ends to hold at once, also for those who are connected.</p>
              </Confirm>
            )}
          </>
        )
      }
    </Answer>
  );
}

const COLUMNS: readonly Column<Rule>[] = [
  { name: 'Place', isNumber: true, cell: ({ position }) => position },
  { name: 'Rule', cell: ({ text }) => <span class="name">{text}</span> },
  { name: 'Id', cell: ({ id }) => <span class="mono name">{id}</span> },
  { name: 'Kept in', cell: ({ origin }) => (origin === 'file' ? 'the file' : 'the store') },
];

function removal(onRemove: (rule: Rule) => void): Column<Rule> {
  return {
    name: 'Actions',
    cell: (rule) =>
      rule.origin === 'file' ? (
        <span class="quiet">in the file</span>
      ) : (
        <button
          type="button"
          class="small danger"
          aria-label={`Remove the rule ${rule.id}`}
          onClick={() => onRemove(rule)}
        >
          Remove
        </button>
      ),
  };
}
