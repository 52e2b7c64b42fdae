import { useRef, useState } from 'preact/hooks';
import { type Problem, send, topicPath } from '../../api/api.ts';
import { clock } from '../../lib/format.ts';
import { Field, Refusal } from '../../parts/basics.tsx';

interface PublishFormProps {
  topic: string;
  /** Where the topic is chosen already. */
  isTopicFixed?: boolean;
  onClose?(): void;
}

interface Property {
  key: number;
  name: string;
  value: string;
}

/** Publishes a message. The form stays as it is, so that the next one is a small change. */
export function PublishForm({ topic, isTopicFixed = false, onClose }: PublishFormProps) {
  const [properties, setProperties] = useState<readonly Property[]>([]);
  const [problem, setProblem] = useState<Problem>();
  const form = useRef<HTMLFormElement>(null);
  const [published, setPublished] = useState('');
  async function submitted(event: SubmitEvent) {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const to = isTopicFixed ? topic : String(fields.get('topic'));
    try {
      await publish(to, fields, properties);
      setProblem(undefined);
      setPublished(`Published to ${to}. ${clock(Date.now())}`);
    } catch (error) {
      setPublished('');
      setProblem(error as Problem);
    }
  }
  function pressed(event: KeyboardEvent) {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.current?.requestSubmit();
  }
  return (
    <form class="publish" ref={form} onSubmit={submitted} onKeyDown={pressed}>
      {problem && <Refusal problem={problem} />}
      {!isTopicFixed && (
        <Field label="Topic">
          {(id) => (
            <input
              id={id}
              class="mono"
              name="topic"
              required
              defaultValue={topic}
              placeholder="sensors/temp"
              spellcheck={false}
              autocomplete="off"
            />
          )}
        </Field>
      )}
      <Field label="Payload">
        {(id) => (
          <textarea id={id} class="mono" name="payload" rows={5} spellcheck={false} placeholder="22.5" />
        )}
      </Field>
      <div class="fields">
        <Field label="Quality of service">
          {(id) => (
            <select id={id} name="qos">
              <option value="0">0: sent at once</option>
              <option value="1">1: answered when it is safe</option>
            </select>
          )}
        </Field>
        <Field label="Content type">
          {(id) => (
            <input id={id} name="type" placeholder="text/plain" spellcheck={false} autocomplete="off" />
          )}
        </Field>
        <Field label="Expires after (seconds)">
          {(id) => <input id={id} name="expiry" type="number" min={0} step={1} placeholder="never" />}
        </Field>
        <label class="check">
          <input type="checkbox" name="retain" /> Retain: keep it as the last message
        </label>
      </div>
      <Properties properties={properties} onChange={setProperties} />
      <div class="dialog-actions">
        {/* In the window itself: what stands behind it is not read out. */}
        <p class="published name" role="status" aria-label="Published">
          {published}
        </p>
        {onClose && (
          <button type="button" onClick={onClose}>
            Close
          </button>
        )}
        <button type="submit" class="primary">
          Publish
        </button>
      </div>
    </form>
  );
}

async function publish(topic: string, fields: FormData, properties: readonly Property[]): Promise<void> {
  const type = String(fields.get('type') ?? '');
  await send(topicPath(topic), {
    method: 'POST',
    query: {
      qos: String(fields.get('qos')),
      retain: fields.get('retain') !== null,
      expiry: String(fields.get('expiry') ?? ''),
      property: properties.filter(({ name }) => name !== '').map(({ name, value }) => `${name}=${value}`),
    },
    bytes: new TextEncoder().encode(String(fields.get('payload') ?? '')),
    headers: type === '' ? {} : { 'content-type': type },
  });
}

interface PropertiesProps {
  properties: readonly Property[];
  onChange(properties: readonly Property[]): void;
}

function Properties({ properties, onChange }: PropertiesProps) {
  const keys = useRef(0);
  const change = (key: number, changed: Partial<Property>) =>
    onChange(properties.map((each) => (each.key === key ? { ...each, ...changed } : each)));
  return (
    <fieldset class="properties">
      <legend>User properties</legend>
      {properties.map(({ key, name, value }, index) => (
        <div key={key} class="property">
          <input
            aria-label={`Name of property ${index + 1}`}
            placeholder="name"
            value={name}
            onInput={({ currentTarget }) => change(key, { name: currentTarget.value })}
          />
          <input
            aria-label={`Value of property ${index + 1}`}
            placeholder="value"
            value={value}
            onInput={({ currentTarget }) => change(key, { value: currentTarget.value })}
          />
          <button
            type="button"
            class="icon-button"
            aria-label={`Remove property ${index + 1}`}
            onClick={() => onChange(properties.filter((each) => each.key !== key))}
          >
            ×
          </button>
        </div>
      ))}
      <button
        type="button"
        class="small"
        onClick={() => onChange([...properties, { key: ++keys.current, name: '', value: '' }])}
      >
        Add a property
      </button>
    </fieldset>
  );
}
