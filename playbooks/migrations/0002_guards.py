"""The database's own word on what may follow what: a shell or an admin page cannot skip a state."""

from django.db import migrations

from cs_platform.tenancy.append_only import refuse_changes

_RUN_MOVES = {
    "scheduled": "running held cancelled skipped uncertain",
    "held": "scheduled cancelled skipped uncertain",
    "running": "applied scheduled skipped held uncertain dead cancelled",
    "uncertain": "applied scheduled cancelled kept",
    "dead": "scheduled skipped applied cancelled",
    # Without a lease only where one transaction stops an enrollment and takes back all of it: nobody sees the way there.
    "applied": "undoing undone kept undo_dead",
    "undoing": "undone kept undo_dead applied",
    "undo_dead": "undoing kept",
}
_ENROLLMENT_MOVES = {
    "active": "completed paused stopping",
    "paused": "active stopping",
    "completed": "stopping active",
    "stopping": "stopped",
}


def _guard(table: str, moves: dict[str, str]) -> migrations.RunSQL:
    legal = ", ".join(f"('{old}', '{new}')" for old, targets in moves.items() for new in targets.split())
    return migrations.RunSQL(
        f"""
        CREATE FUNCTION {table}_moves() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (OLD.state, NEW.state) NOT IN ({legal}) THEN
                RAISE EXCEPTION '%: % cannot become %', TG_TABLE_NAME, OLD.state, NEW.state
                    USING ERRCODE = 'integrity_constraint_violation';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER {table}_moves BEFORE UPDATE OF state ON {table}
            FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION {table}_moves();
        """,
        f"DROP TRIGGER {table}_moves ON {table}; DROP FUNCTION {table}_moves()",
    )


_PUBLISHED = migrations.RunSQL(
    """
    CREATE FUNCTION refuse_published() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'A published version is immutable' USING ERRCODE = 'integrity_constraint_violation';
    END $$;
    CREATE TRIGGER playbooks_version_published BEFORE UPDATE OR DELETE ON playbooks_playbookversion
        FOR EACH ROW WHEN (OLD.published_at IS NOT NULL) EXECUTE FUNCTION refuse_published();
    CREATE FUNCTION refuse_published_step() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT 1 FROM playbooks_playbookversion v WHERE v.tenant_id = COALESCE(NEW.tenant_id, OLD.tenant_id)
                   AND v.id = COALESCE(NEW.version_id, OLD.version_id) AND v.published_at IS NOT NULL) THEN
            RAISE EXCEPTION 'A published version is immutable' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN COALESCE(NEW, OLD);
    END $$;
    CREATE TRIGGER playbooks_step_published BEFORE INSERT OR UPDATE OR DELETE ON playbooks_step
        FOR EACH ROW EXECUTE FUNCTION refuse_published_step();
    """,
    """
    DROP TRIGGER playbooks_step_published ON playbooks_step; DROP FUNCTION refuse_published_step();
    DROP TRIGGER playbooks_version_published ON playbooks_playbookversion; DROP FUNCTION refuse_published();
    """,
)


# A CTA playbook is finished when its CTA is closed, by whatever closes it, and goes on when that is reopened.
_FOLLOWS_CTA = migrations.RunSQL(
    """
    CREATE FUNCTION playbooks_follow_cta() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        is_open boolean := NEW.status IN ('open', 'draft');
        was text := CASE WHEN is_open THEN 'completed' ELSE 'active' END;
        told timestamptz := COALESCE(NEW.closed_at, NEW.touched_at, OLD.closed_at, NEW.created_at);
    BEGIN
        WITH moved AS (
            UPDATE playbooks_enrollment
            SET state = CASE WHEN is_open THEN 'active' ELSE 'completed' END,
                completed_at = CASE WHEN is_open THEN NULL ELSE told END
            WHERE tenant_id = NEW.tenant_id AND cta_id = NEW.id AND state = was RETURNING id, state
        )
        INSERT INTO playbooks_ledgerentry (tenant_id, enrollment_id, at, from_state, to_state, actor, reason)
        SELECT NEW.tenant_id, id, told, was, state, COALESCE(NULLIF(NEW.closed_by, ''), 'engine'),
            CASE WHEN is_open THEN 'The CTA was reopened.' ELSE 'The CTA was closed.' END FROM moved;
        RETURN NULL;
    END $$;
    CREATE TRIGGER playbooks_follow_cta AFTER UPDATE OF status ON ctas_cta
        FOR EACH ROW WHEN ((OLD.status IN ('open', 'draft')) <> (NEW.status IN ('open', 'draft')))
        EXECUTE FUNCTION playbooks_follow_cta();
    """,
    "DROP TRIGGER playbooks_follow_cta ON ctas_cta; DROP FUNCTION playbooks_follow_cta()",
)


# Whatever else moves a run that waits for approval, such as a stop, takes its question with it.
_ASKS_WHILE_HELD = migrations.RunSQL(
    """
    CREATE FUNCTION playbooks_withdraw_question() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE playbooks_approval
        SET state = 'withdrawn', decided_at = COALESCE(NEW.settled_at, NEW.try_at, asked_at), decided_by = 'engine'
        WHERE tenant_id = NEW.tenant_id AND run_id = NEW.id AND state = 'waiting';
        RETURN NULL;
    END $$;
    CREATE TRIGGER playbooks_withdraw_question AFTER UPDATE OF state ON playbooks_actionrun
        FOR EACH ROW WHEN (OLD.state = 'held' AND OLD.reason_code = 'approval' AND NEW.state <> 'held')
        EXECUTE FUNCTION playbooks_withdraw_question();
    """,
    "DROP TRIGGER playbooks_withdraw_question ON playbooks_actionrun; DROP FUNCTION playbooks_withdraw_question()",
)


class Migration(migrations.Migration):
    dependencies = [("playbooks", "0001_initial"), ("tenancy", "0002_guards")]
    operations = [
        _guard("playbooks_actionrun", _RUN_MOVES),
        _guard("playbooks_enrollment", _ENROLLMENT_MOVES),
        _PUBLISHED,
        refuse_changes("playbooks_ledgerentry"),
        _FOLLOWS_CTA,
        _ASKS_WHILE_HELD,
        migrations.RunSQL(
            "ALTER TABLE playbooks_actionrun SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02); "
            "ALTER TABLE playbooks_enrollment SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02)",
            migrations.RunSQL.noop,
        ),
    ]
