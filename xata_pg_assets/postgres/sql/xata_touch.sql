BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.xata_version := coalesce(NEW.xata_version, 0);
        NEW.xata_createdat := coalesce(NEW.xata_createdat, now());
        NEW.xata_updatedat := coalesce(NEW.xata_updatedat, NEW.xata_createdat);
    ELSE
        NEW.xata_version := coalesce(OLD.xata_version, 0) + 1;
        NEW.xata_updatedat := now();
    END IF;
    RETURN NEW;
END
