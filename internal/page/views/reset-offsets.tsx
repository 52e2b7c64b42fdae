import { useState } from 'preact/hooks';
import { ask } from '../api/api.ts';
import type { GroupDetails } from '../api/types.ts';
import { Field } from '../parts/basics.tsx';
import { FormDialog } from '../parts/form-dialog.tsx';
import { useNotices } from '../parts/notices.tsx';

interface ResetOffsetsProps {
  group: GroupDetails;
  path: string;
  onDone(): void;
  onClose(): void;
}

type Place = 'earliest' | 'latest' | 'offset' | 'time';

/** Asks where a group is to go on. */
export function ResetOffsets({ group, path, onDone, onClose }: ResetOffsetsProps) {
  const [place, setPlace] = useState<Place>('earliest');
  const notices = useNotices();
  const topics = [...new Set(group.partitions.map((each) => each.topic))];
  async function sent(fields: FormData) {
    const topic = String(fields.get('topic'));
    const json = { to: destination(place, String(fields.get('value'))), ...(topic !== '' && { topic }) };
    await ask(`${path}/offsets`, { method: 'POST', json });
    notices.done('The offsets are reset.');
    onDone();
    return true;
  }
  return (
    <FormDialog
      title={`Reset the offsets of ${group.id}`}
      verb="Reset"
      isDangerous
      onSend={sent}
      onClose={onClose}
    >
      <p>The group reads again from there, or passes over what lies between.</p>
      <Field label="Log">
        {(id) => (
          <select id={id} name="topic">
            <option value="">All logs of the group</option>
            {topics.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Go on at">
        {(id) => (
          <select
            id={id}
            value={place}
            onChange={({ currentTarget }) => setPlace(currentTarget.value as Place)}
          >
            <option value="earliest">the first message</option>
            <option value="latest">the end</option>
            <option value="offset">an offset</option>
            <option value="time">a time</option>
          </select>
        )}
      </Field>
      {(place === 'offset' || place === 'time') && (
        <Field label={place === 'offset' ? 'Offset' : 'Time'}>
          {(id) => (
            <input
              key={place}
              id={id}
              name="value"
              required
              type={place === 'offset' ? 'number' : 'datetime-local'}
              min={place === 'offset' ? 0 : undefined}
              step={1}
            />
          )}
        </Field>
      )}
    </FormDialog>
  );
}

function destination(place: Place, value: string): string {
  if (place === 'offset') return value;
  if (place === 'time') return new Date(value).toISOString();
  return place;
}
