-- Version 1 of a shared history. Run in one transaction, under the schema's advisory lock.
--
-- Functions end in the version that they came with, so that programs of the version before still
-- find theirs during an upgrade. They are the only way to write for everyone but the owner: they run
-- with the owner's rights, and check by `session_user` that an app belongs to who calls. Locks, in the order in which one transaction takes them:
--   adding    whoever adds deliveries: held from the moment the whole batch is on the server until it
--             is committed, so ids become visible in their order and redeliveries are numbered exactly
--   changing  whoever deletes holds it alone; who changes attempts, marks or queues shares it with
--             others who do so, since ten apps that took turns would wait for each other's disk. They
--             lock the rows of marks of the same deliveries, as a rule in the order of the ids; where
--             that ends in a deadlock, the batch is written again.
-- They are locks of tables and not advisory ones, which any user of the database could take and keep:
-- who may only read a table cannot take a lock of it that conflicts with EXCLUSIVE.
CREATE SCHEMA IF NOT EXISTS tiktok_hook;
SET LOCAL search_path = tiktok_hook, pg_temp;

CREATE TABLE adding ();
CREATE TABLE changing ();
CREATE TABLE pruning ();            -- held by the one process that deletes what is beyond the bounds

-- One row that hardly ever changes: a row that every commit updated would keep a dead version for
-- each of them while any transaction of the cluster is open.
CREATE TABLE history (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL,
    epoch uuid NOT NULL,
    origin text NOT NULL,           -- cluster, database and table that the epoch belongs to
    keep bigint NOT NULL,           -- the bounds belong to the history, not to a listener
    keep_bytes bigint NOT NULL
);

CREATE SEQUENCE delivery_ids;       -- drawn from only under the lock `adding`

CREATE TABLE deliveries (
    id bigint PRIMARY KEY,
    received_at double precision NOT NULL,  -- Unix seconds by the listener's clock
    verdict_age double precision,
    redelivery_of bigint,
    imported_id bigint,
    listener text,                  -- who received it: anna@laptop; NULL: imported
    redelivery_number integer NOT NULL,
    size integer NOT NULL,          -- bytes it takes, about; its attempts are counted in marks
    body_bytes integer NOT NULL,    -- as received; more than length(body) where it was cut
    verdict_secret integer,
    status integer,                 -- what TikTok was answered, if known then; otherwise in marks
    rejected boolean NOT NULL,      -- in the ring of rejected ones, cut
    source text NOT NULL,
    verdict text NOT NULL,
    event text,                     -- these three are to be searched: 200 characters, no NUL
    user_openid text,
    publish_id text,
    link bytea,                     -- what redeliveries share: event time, fingerprint, kind
    body_state text NOT NULL,
    scheme text NOT NULL,
    verdict_reason text NOT NULL,
    verdict_hint text NOT NULL,
    remote_addr text NOT NULL,
    method text NOT NULL,
    path bytea NOT NULL,
    query bytea NOT NULL,
    http_version text NOT NULL,
    summary text NOT NULL,
    headers text NOT NULL,          -- JSON: [[name, value], ...]
    body bytea NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX deliveries_received ON deliveries (received_at);
CREATE INDEX deliveries_event ON deliveries (event, id);
CREATE INDEX deliveries_verdict ON deliveries (verdict, id) WHERE verdict <> 'valid';
CREATE INDEX deliveries_status ON deliveries (status, id) WHERE status <> 200;
CREATE INDEX deliveries_user ON deliveries (user_openid, id) WHERE user_openid <> '';
CREATE INDEX deliveries_publish ON deliveries (publish_id, id) WHERE publish_id <> '';
CREATE UNIQUE INDEX deliveries_link ON deliveries (link, redelivery_number) WHERE link IS NOT NULL;
CREATE INDEX deliveries_again ON deliveries (id) WHERE redelivery_of IS NOT NULL;
-- The sizes are in these two indexes, so that retention adds them up without reading rows.
CREATE INDEX deliveries_kept ON deliveries (id) INCLUDE (size) WHERE NOT rejected;
CREATE INDEX deliveries_rejected ON deliveries (id) INCLUDE (size) WHERE rejected;

-- What changes after a delivery is stored. Narrow, since a changed row is written whole.
CREATE TABLE marks (
    delivery_id bigint PRIMARY KEY,
    status integer,
    attempts integer NOT NULL DEFAULT 0,      -- how many began, those that were forgotten too
    attempt_bytes bigint NOT NULL DEFAULT 0,  -- what the ones that are kept take
    failed boolean NOT NULL DEFAULT false,    -- for any app; see app_marks
    replayed boolean NOT NULL DEFAULT false
) WITH (fillfactor = 80);
CREATE INDEX marks_failed ON marks (delivery_id) WHERE failed;
CREATE INDEX marks_replayed ON marks (delivery_id) WHERE replayed;
CREATE INDEX marks_status ON marks (status, delivery_id) WHERE status <> 200;

-- What an app has to do with a delivery, where there is something to note: most have no row.
CREATE TABLE app_marks (
    delivery_id bigint NOT NULL,
    app text NOT NULL,
    failed boolean NOT NULL DEFAULT false,    -- its last attempt that ended did not get 200
    replayed boolean NOT NULL DEFAULT false,
    PRIMARY KEY (delivery_id, app)
);
CREATE INDEX app_marks_failed ON app_marks (app, delivery_id) WHERE failed;
CREATE INDEX app_marks_replayed ON app_marks (app, delivery_id) WHERE replayed;

CREATE TABLE attempts (
    delivery_id bigint NOT NULL,
    number integer NOT NULL,
    app text NOT NULL,              -- whose: anna@laptop
    owner uuid NOT NULL,            -- the process that made it
    started_at double precision NOT NULL,
    duration_ms double precision,   -- NULL: in progress, or its process died
    status integer,
    size integer NOT NULL,
    replay boolean NOT NULL,
    resigned boolean NOT NULL,
    expects_rejection boolean NOT NULL,
    truncated boolean NOT NULL,
    target text NOT NULL,
    variant text NOT NULL,
    request_method text NOT NULL,
    request_headers text NOT NULL,
    request_body bytea,             -- NULL: the delivery's own
    error text,
    hint text NOT NULL,
    headers text NOT NULL,
    body bytea NOT NULL,
    -- Teammates write these. What no clock shows and no app answers would break who reads it, and a
    -- size that is not true would have deliveries deleted, or kept for ever.
    CHECK (started_at BETWEEN 0 AND 1e11),
    CHECK (duration_ms BETWEEN 0 AND 1e12),
    CHECK (status BETWEEN 100 AND 999),
    CHECK (size BETWEEN 0 AND 1000 + octet_length(request_headers) + octet_length(hint)
           + coalesce(octet_length(request_body), 0) + octet_length(headers) + octet_length(body)),
    -- Whoever lists deliveries reads the last attempt of each: no more than a program of ours writes.
    CHECK (octet_length(request_body) <= 67108864),
    CHECK (octet_length(headers) + octet_length(request_headers) + octet_length(body) <= 2097152),
    CHECK (octet_length(target) + octet_length(variant) + octet_length(request_method)
           + coalesce(octet_length(error), 0) + octet_length(hint) <= 524288),
    PRIMARY KEY (delivery_id, number)
) WITH (fillfactor = 60);
CREATE INDEX attempts_open ON attempts (owner) WHERE duration_ms IS NULL;
CREATE INDEX attempts_replays ON attempts (app, started_at) WHERE replay;

-- Each app has its own: http://localhost:3000/ is another app on another machine.
CREATE TABLE queue (
    app text NOT NULL,
    target text NOT NULL,
    delivery_id bigint NOT NULL,
    mode text NOT NULL,
    secondary boolean NOT NULL,
    deadline double precision,
    tries integer NOT NULL,
    next_try_at double precision,   -- NULL while it waits in order
    PRIMARY KEY (app, target, delivery_id)
);
CREATE INDEX queue_due ON queue (app, target, next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX queue_delivery ON queue (delivery_id);

-- Attached apps: each gets what matches its filter, received by any listener.
CREATE TABLE attachments (
    app text PRIMARY KEY,
    target text NOT NULL,
    filter text NOT NULL,           -- empty: everything
    cursor bigint NOT NULL,         -- the newest id that it has looked at
    epoch text NOT NULL,            -- the history's, when the cursor was set
    host text NOT NULL,             -- of the process that attached it last
    pid integer NOT NULL,
    attached_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    missed bigint NOT NULL,         -- what retention deleted before it looked at them
    -- Everyone's `team status` shows these.
    CHECK (octet_length(target) + octet_length(filter) + octet_length(host) <= 131072)
) WITH (fillfactor = 50);

-- Running processes, each with a lease by the server's clock that it renews.
CREATE TABLE processes (
    id uuid PRIMARY KEY,
    app text NOT NULL,
    kind text NOT NULL,             -- what it does: listen, attach, other
    program text NOT NULL,          -- its version
    host text NOT NULL,
    pid integer NOT NULL,
    direct boolean NOT NULL,        -- no pooler is in between
    clock_seconds double precision, -- how far its clock is ahead of the server's
    started_at timestamptz NOT NULL DEFAULT now(),
    held_until timestamptz NOT NULL,
    CHECK (kind IN ('listen', 'attach', 'other')),
    CHECK (clock_seconds BETWEEN -1e11 AND 1e11),
    CHECK (octet_length(program) + octet_length(host) <= 2000)
) WITH (fillfactor = 50);

-- A queue belongs to its holder for as long as that process has its lease.
CREATE TABLE queue_locks (
    app text NOT NULL,
    target text NOT NULL,
    holder uuid NOT NULL,
    PRIMARY KEY (app, target)
);

-- Whose the names of apps are: the user's who used them first.
CREATE TABLE apps (
    app text PRIMARY KEY CHECK (char_length(app) BETWEEN 1 AND 200),
    role text NOT NULL
);

CREATE FUNCTION is_owner_1() RETURNS boolean LANGUAGE sql STABLE
SET search_path = tiktok_hook, pg_temp
AS $$
    SELECT pg_has_role(session_user, relowner, 'MEMBER') FROM pg_class
    WHERE oid = 'tiktok_hook.history'::regclass
$$;

-- Raises an error unless the app belongs to who calls; a new name belongs to its first user.
CREATE FUNCTION own_1(by_app text) RETURNS void LANGUAGE plpgsql
SET search_path = tiktok_hook, pg_temp
AS $own$
DECLARE its_role text;
BEGIN
    SELECT a.role INTO its_role FROM apps a WHERE a.app = by_app;
    IF its_role IS NULL THEN
        INSERT INTO apps (app, role) VALUES (by_app, session_user) ON CONFLICT (app) DO NOTHING;
        SELECT a.role INTO its_role FROM apps a WHERE a.app = by_app;
    END IF;
    IF its_role IS DISTINCT FROM session_user::text THEN
        RAISE EXCEPTION 'the app % belongs to the database user %', by_app, its_role
        USING ERRCODE = 'insufficient_privilege';
    END IF;
END $own$;

-- Makes or renews the lease of a process, of a minute at most: whatever it asked for, it is seen to
-- be gone. Returns the server's clock, in Unix seconds.
CREATE FUNCTION register_1(
    process uuid, by_app text, its_kind text, its_program text, its_host text, its_pid integer,
    is_direct boolean, ahead double precision, seconds double precision)
RETURNS double precision LANGUAGE plpgsql SET search_path = tiktok_hook, pg_temp
AS $register$
BEGIN
    PERFORM own_1(by_app);
    INSERT INTO processes AS p (id, app, kind, program, host, pid, direct, clock_seconds, held_until)
    VALUES (process, by_app, its_kind, its_program, its_host, its_pid, is_direct, ahead,
            now() + make_interval(secs => least(seconds, 60)))
    ON CONFLICT (id) DO UPDATE SET held_until = excluded.held_until, direct = excluded.direct,
        clock_seconds = coalesce(excluded.clock_seconds, p.clock_seconds)
    WHERE p.app = by_app;
    RETURN extract(epoch FROM clock_timestamp());
END $register$;

-- Ends the lease of a process, and with it all that it holds.
CREATE FUNCTION unregister_1(process uuid, by_app text) RETURNS void LANGUAGE plpgsql
SET search_path = tiktok_hook, pg_temp
AS $unregister$
BEGIN
    PERFORM own_1(by_app);
    DELETE FROM queue_locks WHERE holder = process AND app = by_app;
    DELETE FROM processes
    WHERE (id = process AND app = by_app) OR held_until < now() - interval '1 day';
END $unregister$;

-- Whether the lock of a queue is the process's now. A process whose lease has ended meanwhile does
-- not get it: the row of its lease is renewed by the thread that keeps it.
CREATE FUNCTION acquire_1(process uuid, by_app text, of_target text) RETURNS boolean
LANGUAGE plpgsql SET search_path = tiktok_hook, pg_temp
AS $acquire$
BEGIN
    PERFORM own_1(by_app);
    INSERT INTO queue_locks AS l (app, target, holder)
    SELECT by_app, of_target, id FROM processes
    WHERE id = process AND app = by_app AND held_until > now()
    ON CONFLICT (app, target) DO UPDATE SET holder = excluded.holder
    WHERE l.holder = excluded.holder OR NOT EXISTS (
        SELECT FROM processes p WHERE p.id = l.holder AND p.held_until > now());
    RETURN FOUND;
END $acquire$;

CREATE FUNCTION release_1(process uuid, by_app text, of_target text) RETURNS void
LANGUAGE plpgsql SET search_path = tiktok_hook, pg_temp
AS $release$
BEGIN
    PERFORM own_1(by_app);
    DELETE FROM queue_locks WHERE app = by_app AND target = of_target AND holder = process;
END $release$;

-- What a dump that was restored elsewhere does not have in common with its original. A number of the
-- table itself is enough within one cluster, the cluster's number distinguishes two clusters.
CREATE FUNCTION origin_1() RETURNS text LANGUAGE sql STABLE
SET search_path = tiktok_hook, pg_temp
AS $$
    SELECT concat_ws('/', system_identifier, 'tiktok_hook.history'::regclass::oid,
        (SELECT oid FROM pg_database WHERE datname = current_database())) FROM pg_control_system()
$$;

-- Another epoch for a history that a dump was restored into; any process that opens it calls this. It
-- takes no origin from its caller: with another epoch every attached app reports a restore.
CREATE FUNCTION renew_epoch_1() RETURNS void LANGUAGE sql
SET search_path = tiktok_hook, pg_temp
AS $$
    UPDATE history SET epoch = gen_random_uuid(), origin = origin_1() WHERE origin <> origin_1()
$$;

-- Forgets an app: its cursor, its queue, and whose its name is. What it was sent stays.
CREATE FUNCTION leave_1(gone_app text) RETURNS boolean LANGUAGE plpgsql
SET search_path = tiktok_hook, pg_temp SET lock_timeout = '5s'
AS $leave$
BEGIN
    IF NOT is_owner_1() THEN PERFORM own_1(gone_app); END IF;
    PERFORM lock_changes_1();
    DELETE FROM attachments WHERE app = gone_app;
    DELETE FROM queue WHERE app = gone_app;
    DELETE FROM queue_locks WHERE app = gone_app;
    DELETE FROM processes WHERE app = gone_app;
    DELETE FROM apps WHERE app = gone_app;
    RETURN FOUND;
END $leave$;

-- In PL/pgSQL each statement sees what was committed before it began, so those after the lock see
-- everything that its last holder wrote. In one statement the snapshot would be older than the lock.
CREATE FUNCTION add_1(
    by_app text, by_owner uuid, queued_max bigint, queued_bytes_max bigint,
    received_at float8[], verdict_age float8[], imported_id int8[], size int4[], body_bytes int4[],
    verdict_secret int4[], status int4[], rejected boolean[], source text[], verdict text[],
    event text[], user_openid text[], publish_id text[], link bytea[], body_state text[],
    scheme text[], verdict_reason text[], verdict_hint text[], remote_addr text[], method text[],
    path bytea[], query bytea[], http_version text[], summary text[], headers text[], body bytea[],
    -- what of these waits for the app: the place of the delivery in the arrays above
    q_place int4[] DEFAULT '{}', q_target text[] DEFAULT '{}', q_mode text[] DEFAULT '{}',
    q_secondary boolean[] DEFAULT '{}', q_deadline float8[] DEFAULT '{}',
    q_tries int4[] DEFAULT '{}', q_next_try_at float8[] DEFAULT '{}',
    -- first attempts
    t_place int4[] DEFAULT '{}', t_started_at float8[] DEFAULT '{}',
    t_replay boolean[] DEFAULT '{}', t_resigned boolean[] DEFAULT '{}',
    t_expects_rejection boolean[] DEFAULT '{}', t_target text[] DEFAULT '{}',
    t_variant text[] DEFAULT '{}', t_request_method text[] DEFAULT '{}',
    t_request_headers text[] DEFAULT '{}', t_request_body bytea[] DEFAULT '{}',
    t_size int4[] DEFAULT '{}',
    OUT newest bigint, OUT first_ids int8[], OUT numbers int4[], OUT first_times float8[],
    OUT queued bigint, OUT queued_bytes bigint)
LANGUAGE plpgsql
SET search_path = tiktok_hook, pg_temp SET enable_seqscan = off SET enable_sort = off
SET jit = off SET plan_cache_mode = force_generic_plan SET lock_timeout = '5s'
AS $add$
#variable_conflict use_column
DECLARE
    total integer := cardinality(add_1.received_at);
    first_id bigint;
    number integer;
    first_time float8;
BEGIN
    PERFORM own_1(by_app);
    LOCK TABLE adding IN EXCLUSIVE MODE;
    IF current_setting('synchronous_commit') IN ('off', 'local') THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    IF queued_max IS NOT NULL THEN
        SELECT count(*), coalesce(sum(d.size), 0) INTO queued, queued_bytes FROM deliveries d
        WHERE d.id IN (
            SELECT delivery_id FROM queue WHERE NOT secondary AND mode <> 'attached');
        IF queued + (SELECT count(DISTINCT place) FROM unnest(q_place, q_secondary) AS w (place, s)
                     WHERE NOT s) > queued_max OR queued_bytes >= queued_bytes_max THEN
            RETURN;  -- nothing was written: `newest` is NULL
        END IF;
    END IF;
    newest := setval('delivery_ids', nextval('delivery_ids') + total - 1);
    IF total = 1 THEN
        -- Most come alone, and the statement for several takes longer to begin than to do its work.
        SELECT coalesce(d.redelivery_of, d.id), d.redelivery_number INTO first_id, number
        FROM deliveries d WHERE d.link = add_1.link[1] ORDER BY d.redelivery_number DESC LIMIT 1;
        IF FOUND THEN
            SELECT d.received_at INTO first_time FROM deliveries d WHERE d.id = first_id;
        END IF;
        INSERT INTO deliveries (
            id, redelivery_of, redelivery_number, listener, received_at, verdict_age, imported_id,
            size, body_bytes, verdict_secret, status, rejected, source, verdict, event, user_openid,
            publish_id, link, body_state, scheme, verdict_reason, verdict_hint, remote_addr,
            method, path, query, http_version, summary, headers, body)
        VALUES (
            newest, first_id, coalesce(number, 0) + 1,
            CASE WHEN add_1.source[1] <> 'import' THEN by_app END, add_1.received_at[1],
            add_1.verdict_age[1], add_1.imported_id[1], add_1.size[1], add_1.body_bytes[1],
            add_1.verdict_secret[1], add_1.status[1], add_1.rejected[1], add_1.source[1],
            add_1.verdict[1], add_1.event[1], add_1.user_openid[1], add_1.publish_id[1],
            add_1.link[1], add_1.body_state[1], add_1.scheme[1], add_1.verdict_reason[1],
            add_1.verdict_hint[1], add_1.remote_addr[1], add_1.method[1], add_1.path[1],
            add_1.query[1], add_1.http_version[1], add_1.summary[1], add_1.headers[1],
            add_1.body[1]);
        first_ids := ARRAY[first_id];
        numbers := ARRAY[coalesce(number, 0) + 1];
        first_times := ARRAY[first_time];
    ELSE
        WITH incoming AS MATERIALIZED (
            SELECT *, newest - total + place AS id
            FROM unnest(
                add_1.received_at, add_1.verdict_age, add_1.imported_id, add_1.size, add_1.body_bytes,
                add_1.verdict_secret, add_1.status, add_1.rejected, add_1.source, add_1.verdict,
                add_1.event, add_1.user_openid, add_1.publish_id, add_1.link, add_1.body_state,
                add_1.scheme, add_1.verdict_reason, add_1.verdict_hint, add_1.remote_addr,
                add_1.method, add_1.path, add_1.query, add_1.http_version, add_1.summary,
                add_1.headers, add_1.body)
            WITH ORDINALITY AS given (
                received_at, verdict_age, imported_id, size, body_bytes, verdict_secret, status,
                rejected, source, verdict, event, user_openid, publish_id, link, body_state, scheme,
                verdict_reason, verdict_hint, remote_addr, method, path, query, http_version, summary,
                headers, body, place)
        ), linked AS MATERIALIZED (
            SELECT n.id, n.link IS NOT NULL AND (known.first_id IS NOT NULL OR n.nth > 1) AS again,
                coalesce(known.first_id, n.first_here) AS first_id,
                CASE WHEN n.link IS NULL THEN 1 ELSE coalesce(known.number, 0) + n.nth END AS number,
                CASE WHEN known.first_id IS NULL THEN n.first_time ELSE known.first_time END
                    AS first_time
            FROM (
                SELECT id, link, row_number() OVER same AS nth, first_value(id) OVER same AS first_here,
                    first_value(received_at) OVER same AS first_time
                FROM incoming WINDOW same AS (PARTITION BY link ORDER BY place)
            ) n LEFT JOIN LATERAL (
                SELECT coalesce(d.redelivery_of, d.id) AS first_id, d.redelivery_number AS number,
                    (SELECT f.received_at FROM deliveries f
                     WHERE f.id = coalesce(d.redelivery_of, d.id)) AS first_time
                FROM deliveries d WHERE d.link = n.link ORDER BY d.redelivery_number DESC LIMIT 1
            ) known ON true
        ), inserted AS (
            INSERT INTO deliveries (
                id, redelivery_of, redelivery_number, listener, received_at, verdict_age, imported_id,
                size, body_bytes, verdict_secret, status, rejected, source, verdict, event, user_openid,
                publish_id, link, body_state, scheme, verdict_reason, verdict_hint, remote_addr,
                method, path, query, http_version, summary, headers, body)
            SELECT i.id, CASE WHEN l.again THEN l.first_id END, l.number,
                CASE WHEN i.source <> 'import' THEN by_app END, i.received_at, i.verdict_age,
                i.imported_id, i.size, i.body_bytes, i.verdict_secret, i.status, i.rejected, i.source,
                i.verdict, i.event, i.user_openid, i.publish_id, i.link, i.body_state, i.scheme,
                i.verdict_reason, i.verdict_hint, i.remote_addr, i.method, i.path, i.query,
                i.http_version, i.summary, i.headers, i.body
            FROM incoming i JOIN linked l ON l.id = i.id
        )
        SELECT array_agg(CASE WHEN again THEN first_id END ORDER BY id), array_agg(number ORDER BY id),
            array_agg(CASE WHEN again THEN first_time END ORDER BY id)
        INTO first_ids, numbers, first_times FROM linked;
    END IF;
    IF cardinality(q_place) > 0 THEN
        INSERT INTO queue (app, target, delivery_id, mode, secondary, deadline, tries, next_try_at)
        SELECT by_app, target, newest - total + place, mode, secondary, deadline, tries, next_try_at
        FROM unnest(q_place, q_target, q_mode, q_secondary, q_deadline, q_tries, q_next_try_at)
            AS w (place, target, mode, secondary, deadline, tries, next_try_at)
        ON CONFLICT (app, target, delivery_id) DO UPDATE SET mode = excluded.mode;
    END IF;
    IF cardinality(t_place) > 0 THEN
        INSERT INTO attempts (
            delivery_id, number, app, owner, started_at, replay, resigned, expects_rejection,
            target, variant, request_method, request_headers, request_body, size, truncated, hint,
            headers, body)
        SELECT newest - total + place, 1, by_app, by_owner, started_at, replay, resigned,
            expects_rejection, target, variant, request_method, request_headers, request_body,
            size, false, '', '[]', ''
        FROM unnest(
            t_place, t_started_at, t_replay, t_resigned, t_expects_rejection, t_target, t_variant,
            t_request_method, t_request_headers, t_request_body, t_size)
            AS t (place, started_at, replay, resigned, expects_rejection, target, variant,
                  request_method, request_headers, request_body, size);
        INSERT INTO marks (delivery_id, attempts, attempt_bytes, replayed)
        SELECT newest - total + place, 1, size, replay
        FROM unnest(t_place, t_size, t_replay) AS t (place, size, replay);
        INSERT INTO app_marks (delivery_id, app, replayed)
        SELECT newest - total + place, by_app, true
        FROM unnest(t_place, t_replay) AS t (place, replay) WHERE replay;
    END IF;
END $add$;

CREATE FUNCTION lock_changes_1() RETURNS void LANGUAGE plpgsql
SET search_path = tiktok_hook, pg_temp SET lock_timeout = '5s'
AS $lock$
BEGIN
    LOCK TABLE changing IN EXCLUSIVE MODE;
    IF current_setting('synchronous_commit') IN ('off', 'local') THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
END $lock$;

CREATE FUNCTION share_changes_1() RETURNS void LANGUAGE plpgsql
SET search_path = tiktok_hook, pg_temp SET lock_timeout = '5s'
AS $share$
BEGIN
    LOCK TABLE changing IN ROW EXCLUSIVE MODE;
    IF current_setting('synchronous_commit') IN ('off', 'local') THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
END $share$;

CREATE FUNCTION set_status_1(ids int8[], statuses int4[]) RETURNS void LANGUAGE plpgsql
SET search_path = tiktok_hook, pg_temp SET lock_timeout = '5s'
AS $status$
BEGIN
    PERFORM share_changes_1();
    INSERT INTO marks AS m (delivery_id, status)
    SELECT s.id, s.status FROM unnest(ids, statuses) AS s (id, status)
    WHERE EXISTS (SELECT FROM deliveries d WHERE d.id = s.id) ORDER BY s.id
    ON CONFLICT (delivery_id) DO UPDATE SET status = excluded.status
    WHERE m.status IS DISTINCT FROM excluded.status;
END $status$;

-- The number of each attempt. Of a delivery that is gone it is 1, and nothing is kept.
CREATE FUNCTION begin_attempts_1(
    by_app text, by_owner uuid, keep integer, ids int8[], started_at float8[], replay boolean[],
    resigned boolean[], expects_rejection boolean[], target text[], variant text[],
    request_method text[], request_headers text[], request_body bytea[], size int4[])
RETURNS int4[] LANGUAGE plpgsql
SET search_path = tiktok_hook, pg_temp SET lock_timeout = '5s'
SET plan_cache_mode = force_generic_plan
AS $begin$
#variable_conflict use_column
DECLARE
    numbers int4[] := '{}';
    this integer;
    forgotten bigint;
BEGIN
    PERFORM own_1(by_app);
    PERFORM share_changes_1();
    FOR i IN 1 .. cardinality(ids) LOOP
        INSERT INTO marks AS m (delivery_id, attempts, attempt_bytes, replayed)
        SELECT d.id, 1, begin_attempts_1.size[i], begin_attempts_1.replay[i]
        FROM deliveries d WHERE d.id = ids[i]
        ON CONFLICT (delivery_id) DO UPDATE SET attempts = m.attempts + 1,
            attempt_bytes = m.attempt_bytes + excluded.attempt_bytes,
            replayed = m.replayed OR excluded.replayed
        RETURNING attempts INTO this;
        numbers := numbers || coalesce(this, 1);
        CONTINUE WHEN this IS NULL;
        IF begin_attempts_1.replay[i] THEN
            INSERT INTO app_marks AS o (delivery_id, app, replayed) VALUES (ids[i], by_app, true)
            ON CONFLICT (delivery_id, app) DO UPDATE SET replayed = true WHERE NOT o.replayed;
        END IF;
        INSERT INTO attempts (
            delivery_id, number, app, owner, started_at, replay, resigned, expects_rejection,
            target, variant, request_method, request_headers, request_body, size, truncated, hint,
            headers, body)
        VALUES (
            ids[i], this, by_app, by_owner, begin_attempts_1.started_at[i],
            begin_attempts_1.replay[i], begin_attempts_1.resigned[i],
            begin_attempts_1.expects_rejection[i], begin_attempts_1.target[i],
            begin_attempts_1.variant[i], begin_attempts_1.request_method[i],
            begin_attempts_1.request_headers[i], begin_attempts_1.request_body[i],
            begin_attempts_1.size[i], false, '', '[]', '');
        IF this > 2 * keep THEN
            WITH gone AS (
                DELETE FROM attempts WHERE delivery_id = ids[i] AND number > keep
                AND number <= this - keep AND NOT replay AND app = by_app RETURNING size
            ) SELECT sum(size) INTO forgotten FROM gone;
            UPDATE marks SET attempt_bytes = attempt_bytes - coalesce(forgotten, 0)
            WHERE delivery_id = ids[i];
        END IF;
    END LOOP;
    RETURN numbers;
END $begin$;

-- Notes whether the last attempt of an app failed. Most do not, and then there is nothing to note.
CREATE FUNCTION mark_failed_1(of_id bigint, of_app text, is_failed boolean) RETURNS void
LANGUAGE plpgsql SET search_path = tiktok_hook, pg_temp
AS $mark$
BEGIN
    IF is_failed THEN
        INSERT INTO app_marks AS o (delivery_id, app, failed) VALUES (of_id, of_app, true)
        ON CONFLICT (delivery_id, app) DO UPDATE SET failed = true WHERE NOT o.failed;
    ELSE
        UPDATE app_marks SET failed = false WHERE delivery_id = of_id AND app = of_app AND failed;
    END IF;
END $mark$;

CREATE FUNCTION end_attempts_1(
    by_app text, ids int8[], numbers int4[], failures boolean[], expecting boolean[], status int4[],
    headers text[], body bytea[], truncated boolean[], duration_ms float8[], error text[],
    hint text[], size int4[])
RETURNS void LANGUAGE plpgsql
SET search_path = tiktok_hook, pg_temp SET lock_timeout = '5s'
SET plan_cache_mode = force_generic_plan
AS $end$
#variable_conflict use_column
DECLARE counts boolean;
BEGIN
    PERFORM own_1(by_app);
    PERFORM share_changes_1();
    FOR i IN 1 .. cardinality(ids) LOOP
        -- First, so that what follows sees what another app has noted about the same delivery.
        PERFORM FROM marks m WHERE m.delivery_id = ids[i] FOR UPDATE;
        UPDATE attempts SET status = end_attempts_1.status[i], headers = end_attempts_1.headers[i],
            body = end_attempts_1.body[i], truncated = end_attempts_1.truncated[i],
            duration_ms = end_attempts_1.duration_ms[i], error = end_attempts_1.error[i],
            hint = end_attempts_1.hint[i], size = size + end_attempts_1.size[i]
        WHERE delivery_id = ids[i] AND number = numbers[i] AND app = by_app;
        CONTINUE WHEN NOT FOUND;
        -- Whether the app handles the delivery was not asked where a 4xx is the right answer; a
        -- later attempt that has ended knows better.
        counts := NOT expecting[i] AND NOT EXISTS (
            SELECT FROM attempts a WHERE a.delivery_id = ids[i] AND a.number > numbers[i]
            AND a.app = by_app AND a.duration_ms IS NOT NULL AND NOT a.expects_rejection);
        IF counts THEN
            PERFORM mark_failed_1(ids[i], by_app, failures[i]);
        END IF;
        UPDATE marks m SET attempt_bytes = m.attempt_bytes + end_attempts_1.size[i],
            failed = CASE WHEN counts THEN EXISTS (
                SELECT FROM app_marks o WHERE o.delivery_id = ids[i] AND o.failed)
                ELSE m.failed END
        WHERE m.delivery_id = ids[i];
    END LOOP;
END $end$;

-- Records attempts as cut whose process is gone, one's own or as the owner all; how many there were.
CREATE FUNCTION end_abandoned_1(cut text, why text) RETURNS integer LANGUAGE plpgsql
SET search_path = tiktok_hook, pg_temp SET lock_timeout = '5s'
AS $abandoned$
DECLARE
    total integer := 0;
    gone record;
    is_owner boolean := is_owner_1();
BEGIN
    IF NOT EXISTS (SELECT FROM attempts WHERE duration_ms IS NULL) THEN RETURN 0; END IF;
    PERFORM lock_changes_1();
    FOR gone IN
        UPDATE attempts SET error = cut, hint = why, duration_ms = 0
        WHERE duration_ms IS NULL
        AND owner NOT IN (SELECT id FROM processes WHERE held_until > now())
        AND (is_owner OR app IN (SELECT a.app FROM apps a WHERE a.role = session_user::text))
        RETURNING delivery_id, number, app
    LOOP
        total := total + 1;
        CONTINUE WHEN EXISTS (
            SELECT FROM attempts a WHERE a.delivery_id = gone.delivery_id
            AND a.number > gone.number AND a.app = gone.app
            AND a.duration_ms IS NOT NULL AND NOT a.expects_rejection);
        PERFORM mark_failed_1(gone.delivery_id, gone.app, true);
        UPDATE marks SET failed = true WHERE delivery_id = gone.delivery_id;
    END LOOP;
    RETURN total;
END $abandoned$;

-- Changes to an app's queue, in order.
CREATE FUNCTION change_queue_1(
    by_app text, what text[], ids int8[], targets text[], tries int4[], times float8[])
RETURNS void LANGUAGE plpgsql
SET search_path = tiktok_hook, pg_temp SET lock_timeout = '5s'
SET plan_cache_mode = force_generic_plan
AS $queue$
#variable_conflict use_column
BEGIN
    PERFORM own_1(by_app);
    PERFORM share_changes_1();
    FOR i IN 1 .. cardinality(what) LOOP
        CASE what[i]
        WHEN 'dequeue' THEN
            DELETE FROM queue WHERE app = by_app AND target = targets[i] AND delivery_id = ids[i];
        WHEN 'set aside' THEN
            UPDATE queue SET tries = change_queue_1.tries[i], next_try_at = times[i]
            WHERE app = by_app AND target = targets[i] AND delivery_id = ids[i];
        WHEN 'make due' THEN
            UPDATE queue SET next_try_at = times[i]
            WHERE app = by_app AND target = targets[i] AND next_try_at > times[i];
        END CASE;
    END LOOP;
END $queue$;

-- Records an attached app, in place of what was recorded under its name. The queue of the
-- target that it had before becomes the queue of its new one.
CREATE FUNCTION attach_1(
    by_app text, to_target text, with_filter text, from_cursor bigint, in_epoch text, on_host text,
    with_pid integer, not_seen bigint, old_target text)
RETURNS void LANGUAGE plpgsql
SET search_path = tiktok_hook, pg_temp SET lock_timeout = '5s'
AS $attach$
BEGIN
    PERFORM own_1(by_app);
    PERFORM share_changes_1();
    INSERT INTO attachments (app, target, filter, cursor, epoch, host, pid, missed)
    VALUES (by_app, to_target, with_filter, from_cursor, in_epoch, on_host, with_pid, not_seen)
    ON CONFLICT (app) DO UPDATE SET target = excluded.target, filter = excluded.filter,
        cursor = excluded.cursor, epoch = excluded.epoch, host = excluded.host, pid = excluded.pid,
        attached_at = now(), updated_at = now(), missed = excluded.missed;
    IF old_target IS NOT NULL THEN
        UPDATE queue q SET target = to_target WHERE q.app = by_app AND q.target = old_target
        AND NOT EXISTS (SELECT FROM queue w WHERE w.app = by_app AND w.target = to_target
                        AND w.delivery_id = q.delivery_id);
        DELETE FROM queue q WHERE q.app = by_app AND q.target = old_target;
    END IF;
END $attach$;

-- Puts deliveries into the queue of an attached app and moves its cursor past them, or does neither
-- and says so: when the cursor is elsewhere by now, or another process has the app. A process that
-- was stopped for longer than its lease finds out here.
CREATE FUNCTION advance_1(
    by_app text, by_owner uuid, expected bigint, moved_to bigint, noted bigint,
    ids int8[], target text[], mode text[], secondary boolean[], deadline float8[], tries int4[],
    next_try_at float8[])
RETURNS boolean LANGUAGE plpgsql
SET search_path = tiktok_hook, pg_temp SET lock_timeout = '5s'
AS $advance$
#variable_conflict use_column
BEGIN
    PERFORM own_1(by_app);
    PERFORM share_changes_1();
    UPDATE attachments a SET cursor = moved_to, missed = missed - noted, updated_at = now()
    WHERE a.app = by_app AND a.cursor = expected AND EXISTS (
        SELECT FROM queue_locks l WHERE l.app = by_app AND l.target = '' AND l.holder = by_owner);
    IF NOT FOUND THEN RETURN false; END IF;
    INSERT INTO queue (app, target, delivery_id, mode, secondary, deadline, tries, next_try_at)
    SELECT by_app, w.target, w.id, w.mode, w.secondary, w.deadline, w.tries, w.next_try_at
    FROM unnest(
        ids, advance_1.target, advance_1.mode, advance_1.secondary, advance_1.deadline,
        advance_1.tries, advance_1.next_try_at)
        AS w (id, target, mode, secondary, deadline, tries, next_try_at)
    WHERE EXISTS (SELECT FROM deliveries d WHERE d.id = w.id)
    ON CONFLICT (app, target, delivery_id) DO UPDATE SET mode = excluded.mode;
    RETURN true;
END $advance$;

-- Deletes deliveries and all that belongs to them; which of them there were. Others than the owner
-- take back what they imported.
CREATE FUNCTION remove_1(going int8[]) RETURNS int8[] LANGUAGE plpgsql
SET search_path = tiktok_hook, pg_temp SET lock_timeout = '5s'
AS $remove$
BEGIN
    IF NOT is_owner_1() THEN
        going := ARRAY(SELECT id FROM deliveries WHERE id = ANY (going) AND source = 'import');
    END IF;
    RETURN delete_1(going);
END $remove$;

CREATE FUNCTION delete_1(going int8[]) RETURNS int8[] LANGUAGE plpgsql
SET search_path = tiktok_hook, pg_temp SET lock_timeout = '5s'
AS $delete$
DECLARE gone int8[];
BEGIN
    PERFORM lock_changes_1();
    DELETE FROM queue WHERE delivery_id = ANY (going);
    DELETE FROM attempts WHERE delivery_id = ANY (going);
    DELETE FROM marks WHERE delivery_id = ANY (going);
    DELETE FROM app_marks WHERE delivery_id = ANY (going);
    WITH deleted AS (DELETE FROM deliveries WHERE id = ANY (going) RETURNING id)
    SELECT coalesce(array_agg(id), '{}') INTO gone FROM deleted;
    RETURN gone;
END $delete$;

-- Deletes a slice of what was received before a time, up to an id; how many.
CREATE FUNCTION clear_1(before float8, newest bigint, slice integer) RETURNS integer
LANGUAGE plpgsql SET search_path = tiktok_hook, pg_temp SET lock_timeout = '5s'
AS $clear$
BEGIN
    PERFORM lock_changes_1();
    RETURN cardinality(delete_1(ARRAY(
        SELECT id FROM deliveries WHERE received_at < before AND id <= newest
        ORDER BY id LIMIT slice)));
END $clear$;

-- Deletes the oldest beyond the bounds, one lot at most, and says what is there then. Whoever finds
-- another process at it leaves it to that one: the result is NULL. What waits for a primary target
-- stays; what waits for a secondary one does not, since one that never comes back would keep
-- everything for ever.
CREATE FUNCTION prune_1(
    rejected_max bigint, rejected_bytes_max bigint, lot integer,
    OUT keep_max bigint, OUT keep_bytes_max bigint, OUT newest bigint, OUT kept bigint,
    OUT kept_bytes bigint, OUT rejected bigint, OUT rejected_bytes bigint, OUT gone bigint)
LANGUAGE plpgsql SET search_path = tiktok_hook, pg_temp SET lock_timeout = '5s'
AS $prune$
#variable_conflict use_column
DECLARE
    surplus bigint;
    excess bigint;
    going int8[];
    going_bytes bigint;
BEGIN
    BEGIN
        LOCK TABLE pruning IN EXCLUSIVE MODE NOWAIT;
    EXCEPTION WHEN lock_not_available THEN RETURN;
    END;
    SELECT keep, keep_bytes INTO keep_max, keep_bytes_max FROM history;
    SELECT coalesce(max(id), 0) INTO newest FROM deliveries;
    SELECT count(*), coalesce(sum(size), 0) INTO kept, kept_bytes FROM deliveries
    WHERE NOT deliveries.rejected;
    kept_bytes := kept_bytes + (SELECT coalesce(sum(attempt_bytes), 0) FROM marks);
    SELECT count(*), coalesce(sum(size), 0) INTO rejected, rejected_bytes FROM deliveries
    WHERE deliveries.rejected;
    gone := 0;
    surplus := rejected - rejected_max;
    excess := rejected_bytes - rejected_bytes_max;
    IF surplus > 0 OR excess > 0 THEN
        excess := excess + rejected_bytes_max / 100;
        SELECT array_agg(id), sum(size) INTO going, going_bytes FROM (
            SELECT id, size, row_number() OVER w AS nth, sum(size) OVER w - size AS bytes_before
            FROM (SELECT id, size FROM deliveries WHERE deliveries.rejected
                  ORDER BY id LIMIT lot) AS oldest
            WINDOW w AS (ORDER BY id)
        ) AS counted WHERE nth <= surplus OR bytes_before < excess;
        gone := gone + cardinality(delete_1(going));
        rejected := rejected - cardinality(going);
        rejected_bytes := rejected_bytes - going_bytes;
    END IF;
    surplus := kept - keep_max;
    excess := kept_bytes - keep_bytes_max;
    IF surplus > 0 OR excess > 0 THEN
        -- Room for what comes next is made at once, so that counting is rare.
        surplus := surplus + least(keep_max / 100, lot * 3 / 4);
        excess := excess + keep_bytes_max / 100;
        SELECT array_agg(id), sum(size) INTO going, going_bytes FROM (
            SELECT id, size, row_number() OVER w AS nth, sum(size) OVER w - size AS bytes_before
            FROM (SELECT d.id, d.size + coalesce(m.attempt_bytes, 0) AS size
                  FROM deliveries d LEFT JOIN marks m ON m.delivery_id = d.id
                  WHERE NOT d.rejected AND NOT EXISTS (
                      SELECT FROM queue q WHERE q.delivery_id = d.id AND NOT q.secondary)
                  ORDER BY d.id LIMIT lot) AS oldest
            WINDOW w AS (ORDER BY id)
        ) AS counted WHERE nth <= surplus OR bytes_before < excess;
        IF going IS NOT NULL THEN
            gone := gone + cardinality(delete_1(going));
            -- What an attached app did look at waits in its queue, or was in it.
            UPDATE attachments a SET missed = missed + (
                SELECT count(*) FROM unnest(going) AS g (id) WHERE g.id > a.cursor)
            WHERE a.cursor < (SELECT max(g.id) FROM unnest(going) AS g (id));
            kept := kept - cardinality(going);
            kept_bytes := kept_bytes - going_bytes;
        END IF;
    END IF;
END $prune$;

-- What is allowed to whom is granted by `team create`; without it the owner does everything.
DO $rights$
DECLARE each regprocedure;
BEGIN
    FOR each IN SELECT oid FROM pg_proc WHERE pronamespace = 'tiktok_hook'::regnamespace LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER', each);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', each);
    END LOOP;
END $rights$;
