"""What a Celery worker is pointed at: `celery -A xata_pg_assets.assets.engines.celery_app worker`."""

from dagster_celery.tasks import create_task

from xata_pg_assets.assets.engines.celery import app_of
from xata_pg_assets.settings import load_settings

app = app_of(load_settings())
execute_plan = create_task(app)
