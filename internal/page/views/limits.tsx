import type { Limit } from '../api/types.ts';
import { useQuery } from '../api/use-query.ts';
import { Answer, Command, Empty } from '../parts/basics.tsx';
import { Table } from '../parts/table.tsx';

/** How much users, groups and clients may use. */
export function Limits() {
  const query = useQuery<readonly Limit[]>('limits');
  return (
    <Answer query={query}>
      {(limits) =>
        limits.length === 0 ? (
          <Empty title="Nobody is limited.">
            <p>
              Limit a user: <Command>tinymq limits set --user ada --messages-in 100</Command>
            </p>
          </Empty>
        ) : (
          <Table
            caption="Limits"
            rows={limits}
            keyOf={(limit) => JSON.stringify(limit)}
            columns={[
              { name: 'Limit', cell: (limit) => <span class="name mono">{JSON.stringify(limit)}</span> },
            ]}
          />
        )
      }
    </Answer>
  );
}
