import { useEffect, useRef, useState } from 'preact/hooks';
import { ask } from '../../api/api.ts';
import type { Rule } from '../../api/types.ts';
import { useQuery } from '../../api/use-query.ts';
import { useMayAdmin, useReloadMe } from '../../lib/me.ts';
import { Answer, Command, Empty } from '../../parts/basics.tsx';
import { Confirm } from '../../parts/dialog.tsx';
import { useNotices } from '../../parts/notices.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { EffectsOf, isHarmless, previewOf } from './preview.tsx';
import { RuleForm } from './rule-form.tsx';

type Place = 'last' | { before: string };
type Doing =
  | { kind: 'add' }
  | { kind: 'edit' | 'remove'; rule: Rule }
  | { kind: 'move'; rule: Rule; place: Place };

/** The rules in the order in which they are asked; the first that fits decides. */
export function Rules() {
  const query = useQuery<readonly Rule[]>('rules');
  const mayAdmin = useMayAdmin();
  const reloadMe = useReloadMe();
  const notices = useNotices();
  const [doing, setDoing] = useState<Doing>();
  const focus = useKeptFocus(query.data);
  const done = () => {
    query.reload();
    reloadMe();
  };
  /** Moves a rule at once where nobody loses anything by it. */
  async function move(rule: Rule, place: Place, button: string) {
    try {
      const preview = await previewOf({ kind: 'alter-rule', id: rule.id, place });
      if (!isHarmless(preview)) return setDoing({ kind: 'move', rule, place });
      await moveTo(rule, place);
      focus(button);
      done();
    } catch (error) {
      notices.failed(error);
    }
  }
  return (
    <Answer query={query}>
      {(rules) => {
        const own = rules.filter(({ origin, rule }) => origin === 'store' && rule.kafka === undefined);
        const columns = mayAdmin ? [...COLUMNS, actions(own, setDoing, move)] : COLUMNS;
        return (
          <>
            {mayAdmin && (
              <p class="tools">
                <button type="button" class="primary" onClick={() => setDoing({ kind: 'add' })}>
                  Add a rule
                </button>
              </p>
            )}
            {rules.length === 0 ? (
              <NoRules />
            ) : (
              <>
                <p class="lead">The first rule that fits decides. Where none fits, the answer is no.</p>
                <Table caption="Rules in their order" columns={columns} rows={rules} keyOf={({ id }) => id} />
              </>
            )}
            {doing && <Window doing={doing} own={own} onDone={done} onClose={() => setDoing(undefined)} />}
          </>
        );
      }}
    </Answer>
  );
}

function NoRules() {
  return (
    <Empty title="There are no rules.">
      <p>
        Without rules and users everybody on this machine may do everything; with users and no rules, nobody.
      </p>
      <p>
        <Command>tinymq acl add -allow subscribe -users ada -topics 'sensors/#'</Command>
      </p>
    </Empty>
  );
}

/** Gives the focus back to a button whose row stands elsewhere when the rules are there again. */
function useKeptFocus(rules: unknown): (button: string) => void {
  const wanted = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (wanted.current === undefined) return;
    document.getElementById(wanted.current)?.focus();
    wanted.current = undefined;
  }, [rules]);
  return (button) => {
    wanted.current = button;
  };
}

async function moveTo({ id }: Rule, place: Place): Promise<void> {
  await ask(`rules/${encodeURIComponent(id)}`, { method: 'PATCH', json: { place } });
}

interface WindowProps {
  doing: Doing;
  own: readonly Rule[];
  onDone(): void;
  onClose(): void;
}

function Window({ doing, own, onDone, onClose }: WindowProps) {
  if (doing.kind === 'add') return <RuleForm others={own} onDone={onDone} onClose={onClose} />;
  const { rule } = doing;
  const { id, text } = rule;
  if (doing.kind === 'edit') return <RuleForm rule={rule} others={own} onDone={onDone} onClose={onClose} />;
  if (doing.kind === 'move') {
    return (
      <Confirm
        title={`Move the rule ${id}?`}
        verb="Move"
        done={`The rule ${id} stands elsewhere.`}
        act={async () => {
          await moveTo(rule, doing.place);
          onDone();
        }}
        onClose={onClose}
      >
        <p class="name">{text}</p>
        <EffectsOf change={{ kind: 'alter-rule', id, place: doing.place }} />
      </Confirm>
    );
  }
  return (
    <Confirm
      title={`Remove the rule ${id}?`}
      verb="Remove"
      done={`The rule ${id} is removed.`}
      act={async () => {
        await ask(`rules/${encodeURIComponent(id)}`, { method: 'DELETE' });
        onDone();
      }}
      onClose={onClose}
    >
      <p class="name">{text}</p>
      <p>It ends to hold at once, also for those who are connected.</p>
      <EffectsOf change={{ kind: 'remove-rule', id }} />
    </Confirm>
  );
}

const COLUMNS: readonly Column<Rule>[] = [
  { name: 'Place', isNumber: true, cell: ({ position }) => position },
  { name: 'Rule', cell: ({ text }) => <span class="name">{text}</span> },
  { name: 'Id', cell: ({ id }) => <span class="mono name">{id}</span> },
  { name: 'Kept in', cell: ({ origin }) => (origin === 'file' ? 'the file' : 'the store') },
];

type Move = (rule: Rule, place: Place, button: string) => void;

function actions(own: readonly Rule[], onDo: (doing: Doing) => void, onMove: Move): Column<Rule> {
  return {
    name: 'Actions',
    cell: (rule) =>
      rule.origin === 'file' ? (
        <span class="quiet">in the file of -users</span>
      ) : (
        <span class="actions">
          {rule.rule.kafka === undefined && (
            <>
              <MoveButtons rule={rule} own={own} onMove={onMove} />
              <button
                type="button"
                class="small"
                aria-label={`Change the rule ${rule.id}`}
                onClick={() => onDo({ kind: 'edit', rule })}
              >
                Change
              </button>
            </>
          )}
          <button
            type="button"
            class="small danger"
            aria-label={`Remove the rule ${rule.id}`}
            onClick={() => onDo({ kind: 'remove', rule })}
          >
            Remove
          </button>
        </span>
      ),
  };
}

/** One place up or down among the rules that stand in an order of their own. */
function MoveButtons({ rule, own, onMove }: { rule: Rule; own: readonly Rule[]; onMove: Move }) {
  const at = own.findIndex(({ id }) => id === rule.id);
  const [above, below, behind] = [own[at - 1], own[at + 1], own[at + 2]];
  const [up, down] = [`up-${rule.id}`, `down-${rule.id}`];
  return (
    <>
      <button
        type="button"
        id={up}
        class="small"
        aria-label={`Move the rule ${rule.id} up`}
        aria-disabled={above === undefined}
        onClick={() => above && onMove(rule, { before: above.id }, up)}
      >
        ↑
      </button>
      <button
        type="button"
        id={down}
        class="small"
        aria-label={`Move the rule ${rule.id} down`}
        aria-disabled={below === undefined}
        onClick={() => below && onMove(rule, behind === undefined ? 'last' : { before: behind.id }, down)}
      >
        ↓
      </button>
    </>
  );
}
