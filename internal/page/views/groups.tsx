import type { GroupSummary, Groups } from '../api/types.ts';
import { usePages } from '../api/use-pages.ts';
import { count } from '../lib/format.ts';
import { linkTo, type Route } from '../lib/route.ts';
import { useLater } from '../lib/use-later.ts';
import { refine } from '../lib/use-route.ts';
import { Answer, Badge, Command, Empty, Pager, Search, ViewHead } from '../parts/basics.tsx';
import { type Column, Table } from '../parts/table.tsx';

/** Consumer groups and how far behind they are. */
export function GroupsView({ route }: { route: Route }) {
  const { search = '' } = route.query;
  const pages = usePages<Groups>('groups', { search: useLater(search) });
  return (
    <>
      <ViewHead title="Groups">
        <Search label="Search groups" value={search} onSearch={(value) => refine(route, { search: value })} />
      </ViewHead>
      <Answer query={pages}>
        {({ groups }) =>
          groups.length === 0 ? (
            <Empty title={search ? 'No group is like that.' : 'There are no consumer groups.'}>
              <p>
                Kafka's clients read logs in groups:{' '}
                <Command>kcat -b localhost:9092 -G my-group sensors.temp</Command>
              </p>
            </Empty>
          ) : (
            <>
              <Table caption="Consumer groups" columns={COLUMNS} rows={groups} keyOf={({ id }) => id} />
              <Pager pages={pages} shown={groups.length} />
            </>
          )
        }
      </Answer>
    </>
  );
}

const COLUMNS: readonly Column<GroupSummary>[] = [
  {
    name: 'Group',
    cell: ({ id }) => (
      <a class="name" href={linkTo(['groups', id])}>
        {id}
      </a>
    ),
  },
  {
    name: 'State',
    cell: ({ state }) => <Badge kind={state.toLowerCase() === 'stable' ? 'good' : 'plain'}>{state}</Badge>,
  },
  { name: 'Members', isNumber: true, cell: ({ members }) => count(members) },
  { name: 'Lag', isNumber: true, cell: ({ lag }) => count(lag) },
];
